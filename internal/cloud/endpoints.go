package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Endpoints say where the parts of an installation are. Those that it does not have are nil or "".
type Endpoints struct {
	API                  string   `json:"api"`
	Console              string   `json:"console"`
	HTTP                 *Place   `json:"http"`
	MQTT                 *Address `json:"mqtt"`
	MQTTWS               *Place   `json:"mqtt_ws"`
	MQTTWSBrowser        *Place   `json:"mqtt_ws_browser"`
	CoAP                 *Place   `json:"coap"`
	MQTTIntegration      *Address `json:"mqtt_integration"`
	MQTTIntegrationWS    *Place   `json:"mqtt_integration_ws"`
	WebsocketIntegration *Place   `json:"websocket_integration"`
	Issuer               string   `json:"issuer_url"`
	Registry             Place    `json:"registry"`
	Command              string   `json:"command_url"`
	Kafka                string   `json:"kafka_bootstrap_servers"`
	LocalCerts           bool     `json:"local_certs"`
	SecureHTTP           *Place   `json:"http_tls"` // this one, and those below, are not known to Drogue Cloud
	SecureMQTT           *Address `json:"mqtt_tls"`
	Authority            string   `json:"ca_certificates"` // PEM; what clients over TLS have to trust, with LocalCerts

	Document json.RawMessage `json:"-"` // all that it says
}

// A Place is an endpoint with a URL.
type Place struct {
	URL string `json:"url"`
}

// An Address is an endpoint with a host and a port.
type Address struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// ErrNotAPI says that something else answered.
var ErrNotAPI = errors.New("something answers there, but it is not the API of an installation")

// Discover asks an installation where its parts are. Nobody needs to be logged in for that.
func Discover(ctx context.Context, base string) (*Endpoints, error) {
	c, err := NewClient(base, nil)
	if err != nil {
		return nil, err
	}
	var e Endpoints
	err = c.call(ctx, http.MethodGet, "/.well-known/drogue-endpoints", nil, &e.Document)
	var refused *Error
	switch {
	case errors.As(err, &refused) && !IsTransient(err):
		return nil, fmt.Errorf("asking %s: %w: it answers %d", c.base, ErrNotAPI, refused.Status)
	case errors.Is(err, errNoJSON):
		return nil, fmt.Errorf("asking %s: %w", c.base, ErrNotAPI)
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(e.Document, &e); err != nil || (e.API == "" && e.Registry.URL == "") {
		return nil, fmt.Errorf("asking %s: %w", c.base, ErrNotAPI)
	}
	if e.Registry.URL == "" {
		e.Registry.URL = c.base
	}
	return &e, nil
}
