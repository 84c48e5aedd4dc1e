// Package opcua is the gateway for machines that speak OPC UA. It is a client of their servers, and publishes what they tell, as a
// gateway device of one application, in the names of the devices that a mapping file makes of their objects.
//
// # The way of a value
//
//  1. After each connect the mapping is resolved at the server (internal/opcua/mapping): which objects are devices, which
//     nodes are monitored. What is wrong with it is logged; the rest is monitored (upstream.go).
//  2. A notification of the server is taken apart: each value, or all values of a channel, becomes a message (publish.go,
//     body.go), which package internal/forward stores in the name of the gateway device, those of a device in their order.
//  3. When all messages of a notification are decided, it is settled: only then is it acknowledged to the server.
//
// So the server keeps what is not stored. When too many notifications wait, internal/opcua asks for no more, and the queues of
// the server fill; what it drops then shows in the status of the next value.
//
// # Devices
//
// A device is connected while its server is. That is a session in internal/presence, which makes connection events (claims.go).
//
// # Commands
//
// Commands for the gateway's devices write a node or call a method, if the mapping allows that (command.go). The result is the
// device's response.
package opcua
