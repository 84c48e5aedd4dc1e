package http

import (
	"strings"
	"testing"
	"time"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		c.TelemetryURL, c.TLS.CertificateFile, c.TLS.KeyFile = "http://fairlead-telemetry.fairlead.svc.cluster.local", "tls.crt", "tls.key"
		change(&c)
		got := ""
		if err := c.Validate(); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("", func(*Config) {})
	f("", func(c *Config) { c.WebhookURL = "https://ttn.example:8443/base" })
	f("telemetryURL", func(c *Config) { c.TelemetryURL = "" })
	for _, bad := range []string{"ftp://x", "telemetry:80", "http://", "http://x?y", "http://x#y", "http://u:p@x", "http://x y"} {
		f("telemetryURL", func(c *Config) { c.TelemetryURL = bad })
		f("webhookURL", func(c *Config) { c.WebhookURL = bad })
	}
	f("tls.address", func(c *Config) { c.TLS.Address = "" })
	f("tls.certificateFile", func(c *Config) { c.TLS.CertificateFile = "" })
	f("maxBody", func(c *Config) { c.MaxBody = 0 })
	f("maxHandshakes", func(c *Config) { c.MaxHandshakes = 0 })
	f("authTimeout", func(c *Config) { c.AuthTimeout = 0 })
	f("maxConnections", func(c *Config) { c.MaxConnections = 0 })
	f("maxRequests", func(c *Config) { c.MaxRequests = 0 })
	f("headerTimeout", func(c *Config) { c.HeaderTimeout = time.Hour })
	f("idleTimeout", func(c *Config) { c.IdleTimeout = 0 })
	f("requestTimeout", func(c *Config) { c.RequestTimeout = time.Hour })
	f("wakeTimeout", func(c *Config) { c.WakeTimeout = c.RequestTimeout + 1 })
	f("drainTimeout", func(c *Config) { c.DrainTimeout = -1 })
}
