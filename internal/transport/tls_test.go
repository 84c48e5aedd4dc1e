package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"
)

func discardLog() *zap.Logger { return zap.NewNop() }

// Who leaves while it waits gives its goroutine back.
func TestPaceEndsWithHandshake(t *testing.T) {
	c := secured(t, "server")
	c.HandshakeRate = 1
	l := open(t, c)
	if _, err := shake(t, l, tls.Client(call(t, l), &tls.Config{InsecureSkipVerify: true})); err != nil {
		t.Fatal(err)
	}
	client := tls.Client(call(t, l), &tls.Config{InsecureSkipVerify: true})
	go func() { _ = client.Handshake() }()
	server := accept(t, l).(*tls.Conn)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := server.HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

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
