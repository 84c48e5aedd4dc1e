// Package external sends commands to what is not connected itself: to the endpoint that a gateway device names in its section
// "commands", and to The Things Stack by the downlink address that came with a device's last webhook.
package external
