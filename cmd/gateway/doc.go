// Command gateway runs one of the long-lived gateways: mqtt for devices over MQTT, coap for devices over CoAP, http for devices over HTTP with
// TLS, bridge for sites that already run an MQTT broker, integration for users who consume events. It is configured by environment variables
// (docs/gateways.md). It holds no state that matters: on SIGTERM it drains, and when it is killed another process of the same gateway cleans
// up after it.
package main
