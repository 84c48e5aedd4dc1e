package main

import (
	"context"
	"encoding/json"

	"github.com/fairlead/fairlead/internal/cloud"
)

type endpointsCommand struct {
	remote
	output
	URL string `arg:"" optional:"" help:"URL of an installation's API, instead of the context's; nobody needs to be logged in there."`
}

// An endpointLine is one endpoint.
type endpointLine struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	For     string `json:"for"`
}

type shownEndpoint struct {
	Endpoint endpointLine `json:"endpoint"`
}

// Run shows the discovery document: as a table, or as it is.
func (c *endpointsCommand) Run(ctx context.Context, t terminal) error {
	base := c.URL
	if base == "" {
		session, err := c.session()
		if err != nil {
			return err
		}
		base = session.Context().URL
	}
	endpoints, err := cloud.Discover(ctx, base)
	if err != nil {
		return adviseURL(err, base)
	}
	switch c.Output {
	case "json":
		return writeJSON(t.out, endpoints.Document)
	case "yaml":
		return writeYAML(t.out, endpoints.Document)
	}
	list := c.list(t, []column{
		{name: "ENDPOINT", text: func(d document) string { return d.Endpoint.Name }},
		{name: "ADDRESS", text: func(d document) string { return d.Endpoint.Address }},
		{name: "FOR", text: func(d document) string { return d.Endpoint.For }},
	})
	for _, line := range endpointLines(endpoints) {
		text, err := json.Marshal(shownEndpoint{line})
		if err != nil {
			return err
		}
		if err := list.add(text); err != nil {
			return err
		}
	}
	return list.end(nil)
}

// endpointLines are those that the installation has, for devices first.
func endpointLines(e *cloud.Endpoints) (lines []endpointLine) {
	add := func(name, address, what string) {
		if address != "" {
			lines = append(lines, endpointLine{name, address, what})
		}
	}
	place := func(p *cloud.Place) string {
		if p == nil {
			return ""
		}
		return p.URL
	}
	host := func(a *cloud.Address) string {
		if a == nil || a.Host == "" {
			return ""
		}
		return hostPort(a)
	}
	add("http", place(e.HTTP), "devices that post over HTTP")
	add("http_tls", place(e.SecureHTTP), "devices that post over HTTP with TLS")
	add("mqtt", host(e.MQTT), "devices that speak MQTT")
	add("mqtt_tls", host(e.SecureMQTT), "devices that speak MQTT over TLS")
	add("mqtt_ws", place(e.MQTTWS), "devices that speak MQTT over WebSocket")
	add("mqtt_ws_browser", place(e.MQTTWSBrowser), "devices in browsers that speak MQTT")
	add("coap", place(e.CoAP), "devices that speak CoAP")
	add("kafka", e.Kafka, "applications that read Kafka")
	add("mqtt_integration", host(e.MQTTIntegration), "applications that speak MQTT")
	add("mqtt_integration_ws", place(e.MQTTIntegrationWS), "applications that speak MQTT over WebSocket")
	add("websocket_integration", place(e.WebsocketIntegration), "applications that read a WebSocket")
	add("command", e.Command, "applications that send commands")
	add("api", e.API, "the registry, for people and programs")
	add("issuer", e.Issuer, "logging in")
	add("console", e.Console, "people with a browser")
	return lines
}
