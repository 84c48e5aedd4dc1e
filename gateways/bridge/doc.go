// Package bridge is the gateway for sites that already run an MQTT broker. It subscribes there as an ordinary client of
// MQTT 5 and publishes what comes, as a gateway device of one application, in the names of the devices that the topics
// name.
//
// # The way of a message
//
//  1. The client (eclipse/paho.golang) hands over one message after the other; see intake.go. A pattern of the
//     configuration makes device and channel of its topic (pattern.go). What no pattern matches is refused.
//  2. Package internal/forward stores it in the name of the gateway device: each device's messages in their order, and what cannot
//     be decided now (Kafka or the registry away, the gateway not admitted) again and again.
//  3. Once it is decided, it is acknowledged to the broker. The client sends acknowledgements in the order of the
//     messages, as the protocol demands.
//
// So the broker keeps what is not stored, and hands over no more than the receive maximum before the first of it is: that
// is the back-pressure. A broker that sends more all the same is left alone until something of it is stored (intake.go).
//
// # Connections that break
//
// After a new connection the broker sends again what was not acknowledged. The ledger (ledger.go) knows which of that is
// still on its way here, or stored without an acknowledgement that reached the broker, and keeps it from being stored
// twice. A message keeps its event id through all attempts.
//
// # Locks
//
// Ledger and upstream have one each. None is held while another is taken or the client is called.
package bridge
