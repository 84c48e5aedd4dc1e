// Package outcome is the one table of what can become of a message or a log-in, and of how each protocol says it.
//
// Every adapter translates through this table and through nothing else: an [Outcome] has an HTTP status, MQTT reason
// codes, a CoAP response code and a metric label. A rule that belongs to a protocol (for example that MQTT 3.1.1
// closes the connection where MQTT 5 answers with a reason code) is a column here, not a branch in an adapter.
package outcome
