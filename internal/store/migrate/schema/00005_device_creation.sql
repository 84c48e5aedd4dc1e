-- How many devices of an application were created lately.
CREATE INDEX devices_created ON devices (application, created);
