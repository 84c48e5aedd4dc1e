-- Registry documents, their aliases, and the outbox of changes.
--
-- The same text serves PostgreSQL and SQLite, except for the words ${SERIAL} and ${BINARY}, which the dialect replaces:
-- a key that numbers itself, and the collation that orders text by its bytes.
--
-- Times are microseconds since 1970. JSON is text, '' where there is none.

CREATE TABLE applications (
    name             TEXT ${BINARY} NOT NULL PRIMARY KEY,
    uid              TEXT   NOT NULL,
    created          BIGINT NOT NULL,
    generation       BIGINT NOT NULL,
    resource_version TEXT   NOT NULL,
    revision         BIGINT NOT NULL,
    deleted          BIGINT,
    finalizers       TEXT   NOT NULL,
    labels           TEXT   NOT NULL,
    annotations      TEXT   NOT NULL,
    spec             TEXT   NOT NULL,
    status           TEXT   NOT NULL
);

CREATE TABLE application_aliases (
    alias TEXT ${BINARY} NOT NULL PRIMARY KEY,
    name  TEXT ${BINARY} NOT NULL REFERENCES applications (name)
);

CREATE INDEX application_aliases_name ON application_aliases (name);

CREATE TABLE devices (
    application      TEXT ${BINARY} NOT NULL REFERENCES applications (name),
    name             TEXT ${BINARY} NOT NULL,
    uid              TEXT   NOT NULL,
    created          BIGINT NOT NULL,
    generation       BIGINT NOT NULL,
    resource_version TEXT   NOT NULL,
    revision         BIGINT NOT NULL,
    deleted          BIGINT,
    finalizers       TEXT   NOT NULL,
    labels           TEXT   NOT NULL,
    annotations      TEXT   NOT NULL,
    spec             TEXT   NOT NULL,
    status           TEXT   NOT NULL,
    PRIMARY KEY (application, name)
);

CREATE TABLE device_aliases (
    application TEXT ${BINARY} NOT NULL,
    alias       TEXT ${BINARY} NOT NULL,
    name        TEXT ${BINARY} NOT NULL,
    PRIMARY KEY (application, alias),
    FOREIGN KEY (application, name) REFERENCES devices (application, name)
);

CREATE INDEX device_aliases_name ON device_aliases (application, name);

CREATE TABLE outbox (
    seq         ${SERIAL},
    kind        TEXT   NOT NULL,
    application TEXT   NOT NULL,
    device      TEXT   NOT NULL,
    uid         TEXT   NOT NULL,
    revision    BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    payload     TEXT   NOT NULL
);
