// Package sink stores events by handing them to a CloudEvents sink over HTTP, such as a Knative Broker of any class, in place of
// Kafka. It takes the same records as kafka.Producer and keeps the same promises: an event is acknowledged after the sink has answered
// with 2xx and not before, events with the same key reach the sink one after the other in the order of the calls, and records, bytes
// and time are bounded.
//
// A sink may get an event twice: when its answer is lost, the event is sent again with the same id.
package sink
