-- What managing the registry needs beside the documents: who may see and change an application, an index of labels,
-- access tokens, and the names of users. What follows ${POSTGRES} on a line is for PostgreSQL only.

ALTER TABLE applications ADD COLUMN owner TEXT ${BINARY} NOT NULL DEFAULT '';

-- The user to whom the owner has offered the application.
ALTER TABLE applications ADD COLUMN heir TEXT ${BINARY} NOT NULL DEFAULT '';

CREATE INDEX applications_owner ON applications (owner, name);

-- What waits for its devices or finalizers.
CREATE INDEX applications_deleted ON applications (name) WHERE deleted IS NOT NULL;

-- The member '' is everybody.
CREATE TABLE application_members (
    application TEXT ${BINARY} NOT NULL REFERENCES applications (name) ON DELETE CASCADE,
    member      TEXT ${BINARY} NOT NULL,
    role        TEXT   NOT NULL,
    PRIMARY KEY (application, member)
);

CREATE INDEX application_members_member ON application_members (member, application);

-- Single labels. The documents' own column stays what a reader gets; these are for selectors. Each row lies in two
-- orders: the key's, for whether a label is there, and the value's. Both end with the name, so that a list comes in
-- order and ends at its limit. A foreign key would need a third.
CREATE TABLE application_labels (
    name  TEXT ${BINARY} NOT NULL,
    key   TEXT ${BINARY} NOT NULL,
    value TEXT ${BINARY} NOT NULL,
    PRIMARY KEY (key, name)
);

CREATE INDEX application_labels_value ON application_labels (key, value, name);

CREATE TABLE device_labels (
    application TEXT ${BINARY} NOT NULL,
    name        TEXT ${BINARY} NOT NULL,
    key         TEXT ${BINARY} NOT NULL,
    value       TEXT ${BINARY} NOT NULL,
    PRIMARY KEY (application, key, name) ${POSTGRES} INCLUDE (value)
);

CREATE INDEX device_labels_value ON device_labels (application, key, value, name);

-- How frequent a value is depends on its key. A planner that does not know expects too few documents, and sorts all of
-- them where it could stop at the limit.
${POSTGRES} CREATE STATISTICS device_labels_values (mcv) ON key, value FROM device_labels;
${POSTGRES} ALTER STATISTICS device_labels_values SET STATISTICS 1000;

CREATE TABLE users (
    id   TEXT ${BINARY} NOT NULL PRIMARY KEY,
    name TEXT ${BINARY} NOT NULL UNIQUE
);

-- expires is 0 for a token that never does; scope is JSON, '' for none.
CREATE TABLE access_tokens (
    hash        TEXT ${BINARY} NOT NULL PRIMARY KEY,
    user_id     TEXT ${BINARY} NOT NULL,
    prefix      TEXT ${BINARY} NOT NULL,
    user_name   TEXT   NOT NULL,
    created     BIGINT NOT NULL,
    description TEXT   NOT NULL,
    expires     BIGINT NOT NULL,
    scope       TEXT   NOT NULL,
    UNIQUE (user_id, prefix)
);
