package registryfn

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/crossorigin"
	"github.com/fairlead/fairlead/internal/registry"
)

// minRegistrationToken is how many characters the token for registering devices has at least.
const minRegistrationToken = 32

// A Config bounds what a request may take, and says where everything is.
type Config struct {
	Timeout           time.Duration `doc:"duration after which a request is answered as unavailable"`
	ListTimeout       time.Duration `doc:"longest time that the answer with a list may take; what is not sent by then is cut off"`
	SweepInterval     time.Duration `doc:"duration between two looks for applications whose deletion was not ended"`
	RegistrationToken string        `doc:"token with which the authentication function may have devices registered when they first connect, and nothing else, auth.registry.token there; at least 32 characters; empty: services may, and nobody else" secret:"true"`
	Origins           []string      `doc:"web origins, as https://console.example.com, whose pages may use the API; none by default; * is every one, and lets any page that a browser of your network opens read what is public"`
	Endpoints         EndpointsConfig
}

// DefaultConfig has no addresses.
func DefaultConfig() Config {
	return Config{Timeout: 10 * time.Second, ListTimeout: 2 * time.Minute, SweepInterval: 10 * time.Second}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Timeout < 100*time.Millisecond || c.Timeout > 25*time.Second:
		return errors.New("timeout: must lie between 100ms and 25s")
	case c.ListTimeout < c.Timeout || c.ListTimeout > 5*time.Minute:
		return errors.New("listTimeout: must lie between timeout and 5m")
	case c.SweepInterval < 100*time.Millisecond || c.SweepInterval > time.Hour:
		return errors.New("sweepInterval: must lie between 100ms and 1h")
	case c.RegistrationToken != "" && len(c.RegistrationToken) < minRegistrationToken:
		return fmt.Errorf("registrationToken: must have at least %d characters", minRegistrationToken)
	}
	return crossorigin.Validate(c.Origins)
}

// An EndpointsConfig is what the discovery document says. Only the API must be known; what is empty is left out.
type EndpointsConfig struct {
	API                      string `doc:"URL under which clients reach this API"`
	Console                  string `doc:"URL of a web console"`
	HTTP                     string `doc:"URL to which devices post"`
	SecureHTTP               string `doc:"URL to which devices post over TLS, if http is one without"`
	MQTT                     string `doc:"address host:port for devices that speak MQTT"`
	SecureMQTT               string `doc:"address host:port for devices that speak MQTT over TLS, if mqtt is one without"`
	MQTTWS                   string `doc:"URL for devices that speak MQTT over WebSocket"`
	MQTTWSBrowser            string `doc:"URL for browsers that speak MQTT over WebSocket, where no client certificate is asked for"`
	COAP                     string `doc:"URL, coap or coaps, for devices that speak CoAP"`
	MQTTIntegration          string `doc:"address host:port for applications that speak MQTT"`
	MQTTIntegrationWS        string `doc:"URL for applications that speak MQTT over WebSocket"`
	MQTTIntegrationWSBrowser string `doc:"URL for applications in browsers that speak MQTT over WebSocket"`
	WebsocketIntegration     string `doc:"URL for applications that read events by WebSocket"`
	Issuer                   string `doc:"URL of the OpenID provider at which people sign in"`
	Redirect                 string `doc:"URL to which a web console has people sent back after they signed in"`
	Command                  string `doc:"URL of the API for commands"`
	Kafka                    string `doc:"addresses of Kafka for applications that read their topic"`
	Authority                string `doc:"certificates, PEM, of this installation's own authority, which clients over TLS have to trust; goes with localCerts"`
	LocalCerts               bool   `doc:"whether the endpoints have certificates that only this installation's own authority vouches for"`
}

// Validate names the first bad field.
func (c *EndpointsConfig) Validate() error {
	if c.API == "" {
		return errors.New("api: is missing")
	}
	for _, field := range []struct{ name, value string }{
		{"api", c.API}, {"console", c.Console}, {"http", c.HTTP}, {"secureHTTP", c.SecureHTTP}, {"mqttws", c.MQTTWS}, {"mqttwsBrowser", c.MQTTWSBrowser}, {"coap", c.COAP},
		{"mqttIntegrationWS", c.MQTTIntegrationWS}, {"mqttIntegrationWSBrowser", c.MQTTIntegrationWSBrowser},
		{"websocketIntegration", c.WebsocketIntegration}, {"issuer", c.Issuer}, {"redirect", c.Redirect}, {"command", c.Command},
	} {
		if u, err := url.Parse(field.value); field.value != "" && (err != nil || u.Scheme == "" || u.Host == "") {
			return fmt.Errorf("%s: must be a URL", field.name)
		}
	}
	if c.Authority != "" {
		if _, err := registry.ParseCertificate([]byte(c.Authority)); err != nil {
			return fmt.Errorf("authority: %w", err)
		}
	}
	for _, field := range []struct{ name, value string }{{"mqtt", c.MQTT}, {"secureMQTT", c.SecureMQTT}, {"mqttIntegration", c.MQTTIntegration}} {
		if field.value == "" {
			continue
		}
		if _, err := parseAddress(field.value); err != nil {
			return fmt.Errorf("%s: %w", field.name, err)
		}
	}
	return nil
}

// base is the URL of the API without a slash at its end.
func (c *EndpointsConfig) base() string { return strings.TrimRight(c.API, "/") }
