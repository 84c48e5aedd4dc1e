// Package integration lets users consume the events of their applications: over MQTT, WebSocket and Server-Sent Events.
//
// What users may and which events they get is internal/feed's; this package says it in the words of each protocol. Over MQTT
// (connect.go, filter.go, subscription.go) a subscription to app/APPLICATION is a subscription of the feed; with QoS 1 an event is
// settled by PUBACK. Over HTTP (web.go) the path names the application; what comes is a WebSocket (socket.go) or a stream of
// Server-Sent Events (sse.go).
//
// A session ends when its credential expires or is withdrawn, and when its user may no longer read one of its applications.
package integration
