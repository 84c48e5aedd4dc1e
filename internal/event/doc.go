// Package event is the CloudEvent of a device message: its attributes, the rules for its content type, the names of
// Kafka topics and keys, and its form as a Kafka record in the binary content mode of the CloudEvents Kafka protocol
// binding (version 1.0.2, section 3.2).
//
// The package writes records itself, because that costs a sixth of what the CloudEvents SDK takes; its tests read them
// back with the SDK.
package event
