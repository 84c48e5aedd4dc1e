package registryfn

import (
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
)

// An urlEndpoint is an endpoint with a URL, in the words of the wire contract.
type urlEndpoint struct {
	URL string `json:"url"`
}

// An addressEndpoint is an endpoint with a host and a port.
type addressEndpoint struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// endpoints is the discovery document.
type endpoints struct {
	API                      string           `json:"api"`
	Console                  string           `json:"console,omitempty"`
	CoAP                     *urlEndpoint     `json:"coap,omitempty"`
	HTTP                     *urlEndpoint     `json:"http,omitempty"`
	MQTT                     *addressEndpoint `json:"mqtt,omitempty"`
	MQTTWS                   *urlEndpoint     `json:"mqtt_ws,omitempty"`
	MQTTWSBrowser            *urlEndpoint     `json:"mqtt_ws_browser,omitempty"`
	MQTTIntegration          *addressEndpoint `json:"mqtt_integration,omitempty"`
	MQTTIntegrationWS        *urlEndpoint     `json:"mqtt_integration_ws,omitempty"`
	MQTTIntegrationWSBrowser *urlEndpoint     `json:"mqtt_integration_ws_browser,omitempty"`
	WebsocketIntegration     *urlEndpoint     `json:"websocket_integration,omitempty"`
	Issuer                   string           `json:"issuer_url,omitempty"`
	Redirect                 string           `json:"redirect_url,omitempty"`
	Registry                 *urlEndpoint     `json:"registry"`
	Command                  string           `json:"command_url,omitempty"`
	LocalCerts               bool             `json:"local_certs,omitempty"`
	Kafka                    string           `json:"kafka_bootstrap_servers,omitempty"`

	// What follows is Fairlead's own addition, which others ignore.
	SecureHTTP *urlEndpoint     `json:"http_tls,omitempty"`
	SecureMQTT *addressEndpoint `json:"mqtt_tls,omitempty"`
	Authority  string           `json:"ca_certificates,omitempty"`
}

// newEndpoints makes the document of a valid configuration.
func newEndpoints(c *EndpointsConfig) endpoints {
	base := c.base()
	return endpoints{
		API:                      base,
		Console:                  c.Console,
		CoAP:                     newURL(c.COAP),
		HTTP:                     newURL(c.HTTP),
		MQTT:                     newAddress(c.MQTT),
		MQTTWS:                   newURL(c.MQTTWS),
		MQTTWSBrowser:            newURL(c.MQTTWSBrowser),
		MQTTIntegration:          newAddress(c.MQTTIntegration),
		MQTTIntegrationWS:        newURL(c.MQTTIntegrationWS),
		MQTTIntegrationWSBrowser: newURL(c.MQTTIntegrationWSBrowser),
		WebsocketIntegration:     newURL(c.WebsocketIntegration),
		// Clients put a path behind it.
		Issuer:     strings.TrimRight(c.Issuer, "/"),
		Redirect:   c.Redirect,
		Registry:   newURL(base),
		Command:    c.Command,
		LocalCerts: c.LocalCerts,
		Kafka:      c.Kafka,
		SecureHTTP: newURL(c.SecureHTTP),
		SecureMQTT: newAddress(c.SecureMQTT),
		Authority:  c.Authority,
	}
}

func newURL(text string) *urlEndpoint {
	if text == "" {
		return nil
	}
	return &urlEndpoint{text}
}

func newAddress(text string) *addressEndpoint {
	if text == "" {
		return nil
	}
	address, _ := parseAddress(text) // which the configuration has checked
	return address
}

func parseAddress(text string) (*addressEndpoint, error) {
	host, port, err := net.SplitHostPort(text)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || host == "" || number == 0 {
		return nil, errors.New("must be an address host:port")
	}
	return &addressEndpoint{host, uint16(number)}, nil
}

// version is that of the module that this is built from.
func version() string {
	const module = "github.com/fairlead/fairlead"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "development"
}

// discover answers GET /.well-known/drogue-endpoints, which anybody may ask: clients need it to sign in.
func (h *Handler) discover(c *call) error { return c.answer(h.endpoints) }

// information answers GET /api/console/v1alpha1/info: the same document, with the examples that a console would show.
func (h *Handler) information(c *call) error {
	return c.answer(struct {
		endpoints
		Demos [][2]string `json:"demos"`
	}{h.endpoints, [][2]string{}})
}

// version answers GET /.well-known/drogue-version.
func (h *Handler) version(c *call) error {
	return c.answer(struct {
		Version string `json:"version"`
	}{version()})
}
