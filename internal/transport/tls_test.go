package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

func discardLog() *zap.Logger { return zap.NewNop() }

func TestPaceSpreadsHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(500)
		started := time.Now()
		var wait sync.WaitGroup
		for range 1025 {
			wait.Go(func() {
				if err := p.wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		// 25 turns of the last 50 ms are made up for, and one is now.
		if took := time.Since(started); took < 1998*time.Millisecond || took > 1999*time.Millisecond {
			t.Errorf("1025 handshakes at 500 per second took %v", took)
		}
		time.Sleep(time.Hour) // in the bubble
		before := time.Now()
		for range 26 {
			if err := p.wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("a few handshakes after a quiet time waited %v", took)
		}
	})
}

func TestPaceTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{rate.NewLimiter(rate.Every(time.Minute), 1)}
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(t.Context()); !errors.Is(err, errPace) {
			t.Errorf("a turn in a minute: %v", err)
		}
	})
}

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
