// Package mqtt serves MQTT 3.1.1 and MQTT 5 connections: what the protocol demands of every server, and nothing of what
// its packets mean. A gateway hands it a [Handler], which admits clients and takes their messages.
//
// A [Conn] has one goroutine, which reads. Packets are decoded in place (package packet). Acknowledgements are written by
// whoever has one, together with those that are due at the same time. There is no broker in here: no retained messages, no
// stored sessions, no fan-out.
package mqtt
