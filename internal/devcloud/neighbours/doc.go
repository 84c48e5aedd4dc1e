// Package neighbours runs what Fairlead lives next to inside the process of `fairlead dev`: a broker that speaks Kafka's
// protocol, and a server that speaks Redis' protocol. Both listen on TCP, so that the code that uses them is the code
// that uses the real ones, and so that kcat and redis-cli can look at them. SQLite needs no server; see
// internal/store/sqlite.
//
// The broker goes on after errors of the disk, which it only logs or does not look for. So each of its answers passes through
// a connection of ours (connection.go) that flushes what the answer says is stored, and no answer passes any longer after the
// first error (disk.go). What was damaged is found before the broker reads it (repair.go). The Redis keeps, in one file, who
// is connected (save.go).
package neighbours
