// Package properties says what the properties of an MQTT 5 message become in an event, the same for every gateway.
package properties
