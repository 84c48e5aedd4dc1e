// Package stream reads the topic of an application for whoever passes its events on, and remembers how far they got.
//
// It exists so that everything that reads an application's topic keeps the same promises. A consumer decides what becomes of a
// record; this package decides which records it gets, when, and what Kafka is told of them:
//
//   - A [Consumer] is one member of a consumer group. Its [Handler] gets the records of each partition in their order, a bounded
//     number of them before the first is settled.
//   - A record is settled by [Delivery.Done] or [Delivery.Abandon], from any goroutine and in any order. Committed is only the
//     end of the records at the beginning of a partition that are all done, so that a process that dies loses nothing: what
//     was not committed is delivered again.
//   - When a partition goes to another member, nothing more is handed out of it, deliveries on their way may end, and what they
//     reached is committed before the other member begins.
//   - A group that has no positions begins where its [From] says: at the end of its topic, if nothing else. A partition that is
//     added later, or whose position Kafka no longer has, is read from its beginning.
//   - Records that wait are bounded in number and bytes. A consumer that is slow slows its own group down, and a partition that is
//     stuck does not keep the others waiting.
//
// Who has no group is a [Reader]. All that follow the end of a topic share one fetch stream of Kafka; one that is too slow for it loses
// the oldest, which is counted, and holds nobody up. A reader that begins elsewhere has a fetch stream of its own.
// [Cluster.ReadSpans] hands ranges of offsets out as a Consumer does, to their end, outside of any group.
//
// A [Message] is what a record says of a CloudEvent. Whether that is a valid event is for the consumer to judge: readers differ
// there. The package knows nothing of Triggers, users or protocols.
//
// Reading path: cluster.go is what the consumers of a process share, consumer.go one member of a group, start.go and from.go where
// a new group begins, partition.go the records of one partition with positions.go for what is committed, delivery.go one record on
// its way, message.go what it says; reader.go who has no group, and tail.go what readers share; span.go ranges of offsets.
package stream
