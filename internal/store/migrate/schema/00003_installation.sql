-- Secrets that the processes of one installation share, as hexadecimal digits. Who wants to void what was made with one
-- replaces its row.
CREATE TABLE secrets (
    name  TEXT ${BINARY} NOT NULL PRIMARY KEY,
    value TEXT   NOT NULL
);

-- Kafka topics that the registry has made for applications, and deletes with them. What somebody else made has no row.
CREATE TABLE topics (
    application TEXT ${BINARY} NOT NULL PRIMARY KEY, -- uid
    name        TEXT ${BINARY} NOT NULL
);
CREATE INDEX topics_name ON topics (name);

-- A trust anchor is a key: several applications may trust certificates of one subject.
CREATE TABLE application_aliases_new (
    alias TEXT ${BINARY} NOT NULL,
    name  TEXT ${BINARY} NOT NULL REFERENCES applications (name),
    PRIMARY KEY (alias, name)
);
INSERT INTO application_aliases_new (alias, name) SELECT alias, name FROM application_aliases;
DROP TABLE application_aliases;
ALTER TABLE application_aliases_new RENAME TO application_aliases;
CREATE INDEX application_aliases_name ON application_aliases (name);
