// Package replay passes events on that are in Kafka already: dead letters of an application after what refused them was mended,
// and any range of its events, to the subscriber of a Trigger or to a URL.
//
// It exists for the command line, and delivers as the dispatcher of fairlead dev does, which is as Knative's: attempts, pauses and
// timeouts are those of a Trigger. Records are read outside of any group, so that nothing that delivers notices.
//
// Everything is delivered at least once. What is done is kept in Kafka, as the position of a consumer group without members: the
// offset below which all is done, and in its metadata what is done beyond that. It is written about twice a second, so what was
// delivered since comes again after the process was killed. Memory is bounded by that of [stream.Cluster.ReadSpans].
//
// Reading path: replay.go and letters.go are the two jobs, run.go is what they have in common; place.go says where they begin and
// end, ledger.go what is done, and group.go keeps that in Kafka.
package replay
