-- How far works have come that go through all applications in several runs: the name of the last one that is done.
CREATE TABLE positions (
    work TEXT ${BINARY} NOT NULL PRIMARY KEY,
    name TEXT ${BINARY} NOT NULL
);
