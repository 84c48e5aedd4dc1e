package transport

import (
	"testing"
	"time"

	"go.uber.org/zap"
)

func discardLog() *zap.Logger { return zap.NewNop() }

func TestConfigValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"":                func(*Config) {},
		"address":         func(c *Config) { c.Address = "localhost" },
		"keyFile":         func(c *Config) { c.CertificateFile = "tls.crt" },
		"certificateFile": func(c *Config) { c.KeyFile = "tls.key" },
		"handshakeRate":   func(c *Config) { c.HandshakeRate = 0 },
		"proxyTimeout":    func(c *Config) { c.ProxyTimeout = time.Minute },
	} {
		c := DefaultConfig()
		c.Address = "127.0.0.1:0"
		change(&c)
		got := ""
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || want != "" && (len(got) <= len(want) || got[:len(want)+1] != want+":") {
			t.Errorf("want an error about %q, got %q", want, got)
		}
	}
}
