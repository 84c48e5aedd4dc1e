// Package mqtt is the device-facing MQTT gateway: a long-lived, minimal forwarder between devices that speak MQTT 3.1.1
// or 5 and Fairlead. It is no broker: nothing is retained, nothing is stored for a client, no message of one device
// reaches another.
//
// The protocol itself is internal/mqtt, with all that every MQTT gateway needs: listeners, limits, draining, and having log-ins
// judged again. This package says what the packets of devices mean:
//
//   - CONNECT is a log-in (internal/auth), a claim of the device's presence (internal/presence), and the choice of a
//     dialect, once for the session. See connect.go.
//   - PUBLISH is a message for internal/ingest, about the device itself or, if the registry lets it, about another one.
//     PUBACK leaves after Kafka's acknowledgement. See publish.go and dialect.go.
//   - SUBSCRIBE is an interest in commands (internal/command). See subscription.go.
//   - A change in the registry has the log-in judged again; what is no longer admitted is disconnected. See renewal.go.
//
// # Gateway rights that are withdrawn
//
// On whose behalf a device may publish is asked for each message. The answer comes from the decision cache, which hears of
// changes by push. A subscription of commands for other devices stays: whoever sends a command looks up, at that time,
// which gateways may hand it over, and addresses those. A gateway that lost its right is not among them.
package mqtt
