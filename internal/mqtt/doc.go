// Package mqtt serves MQTT 3.1.1 and MQTT 5 connections: what the protocol demands of every server, and nothing of what
// its packets mean. A gateway hands it a [Handler], which admits clients and takes their messages. There is no broker in
// here: no retained messages, no stored sessions, no fan-out.
//
// A [Conn] has one goroutine, which reads, and while it is idle no memory but for that and a small buffer. Packets are
// decoded in place (package packet). A second goroutine exists only while something is being written: whoever has an answer
// starts it, and it takes along what is due at the same time. See connect.go for the way to the CONNACK, loop.go for what
// is read, flight.go for messages and the order of their answers, delivery.go and send.go for messages to clients, output.go for what is written, and close.go for the end.
//
// Everything that a client can make large is bounded: packets, before and after CONNECT; messages in flight; answers that
// it does not read and messages that it does not take; topic aliases; time, without a CONNECT, without a packet and while
// writing; and, for all clients together, connections and log-ins (admission_limits.go).
//
// # What gateways share
//
// A gateway is a [Handler] with its sessions, and takes the rest from here:
//
//   - [Listen] opens its listeners, over TCP, TLS and WebSocket. [Server.Run] serves them until it is told to stop, and then
//     drains: see listeners.go and run.go.
//   - A [Budget] bounds the messages of all its clients that wait for Kafka: budget.go.
//   - A [Rechecker] has log-ins judged again when something has changed that they rest on, and ends sessions whose admission
//     ends: recheck.go.
//   - [Server.OnBroken] and the words of refusal.go report who was refused, and how the client was told.
//
// stub_test.go is a small gateway: users log in, hear what devices say, and send commands.
//
// # Locks
//
// Connection, limits, server, budget, rechecker and recheck have a mutex each. Nobody holds two of them, or one while a handler
// or a session is called or a link is read or written.
package mqtt
