// Package tracing follows a message from the device's packet to Kafka's record, in the terms of W3C Trace Context.
//
// A device may bring the context of its own trace: in HTTP's headers traceparent and tracestate, or in user properties of these
// names of an MQTT 5 PUBLISH. What does not parse is ignored. The context goes into the record, as the distributed tracing
// extension of CloudEvents, whether or not spans are made; spans are made where the process exports traces (package process).
//
// The spans of a message are: one of its receipt, by protocol, and below it those of admission, pipeline and Kafka.
package tracing
