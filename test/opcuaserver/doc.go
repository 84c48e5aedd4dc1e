// Package opcuaserver runs OPC UA servers that nobody here wrote, for tests: node-opcua and asyncua, each with a small program of
// scripts/ that gives it counters, variables of every built-in type, methods, events and users.
//
// The namespace is "urn:fairlead:test". Counters are the nodes s=Press1.Counter and so on: each becomes one more every so often,
// from 1 on when the server starts. A user is "worker" with the password "pässword".
package opcuaserver
