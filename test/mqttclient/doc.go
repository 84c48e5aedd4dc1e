// Package mqttclient is the least that an MQTT 3.1.1 client can be: for load that costs little, and for tests that must know
// which message each acknowledgement is for. What others wrote is used wherever it can be.
package mqttclient
