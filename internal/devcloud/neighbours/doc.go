// Package neighbours runs what Fairlead lives next to inside the process of `fairlead dev`: a broker that speaks Kafka's
// protocol, and a server that speaks Redis' protocol. Both listen on TCP, so that the code that uses them is the code
// that uses the real ones, and so that kcat and redis-cli can look at them. SQLite needs no server; see
// internal/store/sqlite.
package neighbours
