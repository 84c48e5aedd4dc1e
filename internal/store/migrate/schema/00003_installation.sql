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
