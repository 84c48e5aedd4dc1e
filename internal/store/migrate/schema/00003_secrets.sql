-- Secrets that the processes of one installation share, as hexadecimal digits. Who wants to void what was made with one
-- replaces its row.
CREATE TABLE secrets (
    name  TEXT ${BINARY} NOT NULL PRIMARY KEY,
    value TEXT   NOT NULL
);
