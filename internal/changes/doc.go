// Package changes tells others what changed in the registry: the caches and sessions of all processes by Redis, and
// everybody else by CloudEvents in a Kafka topic.
//
// Changes wait in the store's outbox, where the transaction put them that made them. A [Relay] takes them from there. An
// entry is removed when Redis has been told and Kafka has acknowledged its events, in this order: who hears of a change
// and looks finds the new document. What fails, or what a crash leaves behind, is told again.
//
// # Promises
//
// At least once: no committed change goes untold, whatever dies. In order: the events of one resource are written one
// after the other, each after the acknowledgement of the one before, by one process at a time. A repetition begins at
// the first event that is not known to be written and goes on in order; its events have the ids of the first time. Only
// a process that was cut off from the database while it was writing can repeat earlier events after later ones; the
// revision in the data tells.
package changes
