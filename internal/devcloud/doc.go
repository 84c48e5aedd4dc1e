// Package devcloud is `fairlead dev`: the functions of the data plane in one process with everything that they live next
// to. The functions are the ones of the cluster. The neighbours are embedded, and each can be replaced by a real one:
// Kafka's protocol, Redis and Trigger dispatch in the packages below, SQLite in internal/store/sqlite.
//
// Reading path: dev.go starts everything in order and ends it in reverse; functions.go is the seam to the data plane;
// registry.go and triggers.go follow the files that a user edits; note.go is what dev.json says.
package devcloud
