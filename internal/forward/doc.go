// Package forward publishes the messages of many devices in the name of one gateway device: what every gateway needs that
// fetches messages from a server of its site, whatever protocol that speaks.
//
//   - The forwarder logs in as the gateway device, and keeps that admission valid (identity.go).
//   - Messages stand in a lane for each device (lanes.go). Lanes are independent of each other. In each, one message at a time is on
//     its way to Kafka, so that none is stored before an earlier one of the same device, whatever fails; or a batch, of which those
//     behind one that failed are stored once more.
//   - What cannot be decided now (Kafka or the registry away, the gateway not admitted) is tried again, without end
//     (forwarder.go). What is decided is settled: the source may be told that it need not keep the message.
package forward
