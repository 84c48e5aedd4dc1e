package http

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/transport"
)

// A Config says where the gateway listens, where it forwards to, and what clients may take.
type Config struct {
	TLS transport.Config

	TelemetryURL string `doc:"base URL of the function telemetry, to which requests are forwarded"`
	WebhookURL   string `doc:"base URL of the function ttn, to which requests below /ttn/ are forwarded; empty: telemetry gets them, which knows no such path"`

	MaxBody        int `doc:"largest body in bytes that is forwarded; not smaller than what the functions take, which have bounds of their own"`
	MaxHandshakes  int `doc:"number of TLS handshakes at once, beyond which new connections are closed unheard"`
	MaxConnections int `doc:"number of connections, beyond which new ones are closed unheard"`
	MaxRequests    int `doc:"number of requests on their way at once, beyond which the answer is 503; those that wait for a command are counted"`

	AuthTimeout    time.Duration `doc:"duration after which a pre-shared key that could not be looked up ends the handshake; it leaves room for a cold start of the authentication function; 100ms to 30s"`
	HeaderTimeout  time.Duration `doc:"duration from the handshake, or from the first byte of a request, to the end of its headers; 1s to 60s"`
	IdleTimeout    time.Duration `doc:"duration for which a connection without requests is kept; 1s to 1h"`
	RequestTimeout time.Duration `doc:"longest time from a request's headers to its answer; leaves room for the longest wait for a command (telemetry.maxWait) and for a cold start; 1s to 5m"`
	WakeTimeout    time.Duration `doc:"duration for which a function that takes no connection is tried again; nothing of the request has been sent then; 0s to requestTimeout"`
	DrainTimeout   time.Duration `doc:"duration that requests on their way are waited for at the end; cutting off one that waits for a command may have it sent twice; 0s to 5m"`
}

// DefaultConfig listens to TLS at the port that Drogue Cloud's endpoint has, with bounds for a gateway with half a gigabyte of memory.
func DefaultConfig() Config {
	c := Config{
		TLS:            transport.DefaultConfig(),
		MaxBody:        256 << 10,
		MaxHandshakes:  1_000,
		MaxConnections: 10_000,
		MaxRequests:    2_000,
		AuthTimeout:    8 * time.Second,
		HeaderTimeout:  10 * time.Second,
		IdleTimeout:    3 * time.Minute,
		RequestTimeout: 100 * time.Second,
		WakeTimeout:    20 * time.Second,
		DrainTimeout:   75 * time.Second,
	}
	c.TLS.Address = ":8443"
	return c
}

// Validate names the first bad field. What concerns the listener alone is left to its own Validate.
func (c *Config) Validate() error {
	if c.TelemetryURL == "" {
		return errors.New("telemetryURL: is missing")
	}
	for name, address := range map[string]string{"telemetryURL": c.TelemetryURL, "webhookURL": c.WebhookURL} {
		if err := validateURL(address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case c.TLS.Address == "":
		return errors.New("tls.address: is missing")
	case c.TLS.CertificateFile == "":
		return errors.New("tls.certificateFile: is missing")
	case c.MaxBody < 1:
		return errors.New("maxBody: must be at least 1")
	case c.MaxHandshakes < 1:
		return errors.New("maxHandshakes: must be at least 1")
	case c.MaxConnections < 1:
		return errors.New("maxConnections: must be at least 1")
	case c.MaxRequests < 1:
		return errors.New("maxRequests: must be at least 1")
	}
	return c.validateTimes()
}

func (c *Config) validateTimes() error {
	switch {
	case c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > 30*time.Second:
		return errors.New("authTimeout: must lie between 100ms and 30s")
	case c.HeaderTimeout < time.Second || c.HeaderTimeout > time.Minute:
		return errors.New("headerTimeout: must lie between 1s and 60s")
	case c.IdleTimeout < time.Second || c.IdleTimeout > time.Hour:
		return errors.New("idleTimeout: must lie between 1s and 1h")
	case c.RequestTimeout < time.Second || c.RequestTimeout > 5*time.Minute:
		return errors.New("requestTimeout: must lie between 1s and 5m")
	case c.WakeTimeout < 0 || c.WakeTimeout > c.RequestTimeout:
		return errors.New("wakeTimeout: must lie between 0s and requestTimeout")
	case c.DrainTimeout < 0 || c.DrainTimeout > 5*time.Minute:
		return errors.New("drainTimeout: must lie between 0s and 5m")
	}
	return nil
}

// validateURL takes http and https URLs with nothing behind the path, and "".
func validateURL(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must have the form http://host or https://host, with or without a port and a path")
	}
	return nil
}
