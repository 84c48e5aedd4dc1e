// Package provision gives every application of the registry what it needs outside of it: Kafka topics for its events and its dead
// letters, and in a cluster a Knative Broker on its topic, Triggers and descriptions of its events. What became of that stands in the
// conditions of the application's status.
//
// It is the subscriber of a Trigger on the registry's change events, and of a PingSource. An event only says which application to look
// at: [Provisioner.Reconcile] reads its document and makes the world as it should be, whatever it was before. The ping has all
// applications looked at ([Provisioner.Sweep]), which repairs what somebody has changed meanwhile.
//
// Reading path: objects.go says what an application needs, as a pure function; reconcile.go is the way of one application, cluster.go
// and topics.go its two halves; handler.go reads events.
package provision
