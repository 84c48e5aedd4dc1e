package process

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthNamesWhatFails(t *testing.T) {
	h := NewHealth(
		Check{"kafka", func(context.Context) error { return errors.New("connection refused") }},
		Check{"registry", func(context.Context) error { return nil }},
	)
	err := h.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "kafka: connection refused") || strings.Contains(err.Error(), "registry") {
		t.Errorf("Ready() = %v", err)
	}
}

func TestHealthSharesRoundsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, failing := 0, true
		h := NewHealth(Check{"x", func(context.Context) error {
			runs++
			if failing {
				return errors.New("away")
			}
			return nil
		}})
		for range 10 {
			if h.Ready(t.Context()) == nil {
				t.Fatal("ready although a check fails")
			}
		}
		if runs != 1 {
			t.Errorf("%d rounds for probes at the same moment", runs)
		}
		failing = false
		time.Sleep(checkAge) // of the bubble's clock
		if err := h.Ready(t.Context()); err != nil || runs != 2 {
			t.Errorf("Ready() = %v after %d rounds", err, runs)
		}
	})
}

// A failure serves for a moment, and for longer with each one in a row: a start is seen to be over soon, and an outage costs few rounds.
func TestHealthSoonSeesThatAProcessIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, rounds, ready := time.Now(), 0, time.Duration(0)
		h := NewHealth(Check{"x", func(context.Context) error {
			if rounds++; time.Since(began) < ready {
				return errors.New("away")
			}
			return nil
		}})
		f := func(takes, atMost time.Duration, most int) {
			t.Helper()
			began, rounds, ready = time.Now(), 0, takes
			for h.Ready(t.Context()) != nil {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took > atMost || rounds > most {
				t.Errorf("ready after %v, and seen after %v and %d rounds", takes, took, rounds)
			}
			time.Sleep(checkAge)
		}
		f(5*time.Millisecond, 10*time.Millisecond, 2)
		f(50*time.Millisecond, 70*time.Millisecond, 4)
		f(time.Minute, time.Minute+checkAge, 127)
		f(5*time.Millisecond, 10*time.Millisecond, 2)
	})
}

func TestHealthBoundsASilentNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(Check{"x", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		started := time.Now()
		if err := h.Ready(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ready() = %v", err)
		}
		if waited := time.Since(started); waited != checkTimeout {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("Validate(%+v) = %v, want %q", c, err, want)
		}
	}
	f(DefaultConfig(), "")
	f(Config{LogLevel: "loud", MetricsProtocol: "none"}, "logLevel")
	f(Config{LogLevel: "info", MetricsProtocol: "carrier pigeon"}, "metricsProtocol")
	f(Config{LogLevel: "info", MetricsProtocol: "grpc"}, "metricsProtocol")
	traces := func(protocol, endpoint string, ratio float64) Config {
		c := DefaultConfig()
		c.TracesProtocol, c.TracesEndpoint, c.TracesRatio = protocol, endpoint, ratio
		return c
	}
	f(traces("grpc", "http://127.0.0.1:4317", 1), "")
	f(traces("jaeger", "http://127.0.0.1:4317", 1), "tracesProtocol")
	f(traces("http/protobuf", "", 1), "tracesEndpoint")
	f(traces("http/protobuf", "127.0.0.1:4318", 1), "tracesEndpoint")
	f(traces("none", "", 1.1), "tracesRatio")
}
