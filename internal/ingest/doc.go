// Package ingest is the one door into Fairlead: every adapter hands a device's message to a [Pipeline], which turns it
// into a CloudEvent and reports an outcome once Kafka has it, or once it is clear that Kafka will not get it.
//
// Rules of an application come between building the event and writing it; see Pipeline.Publish.
package ingest
