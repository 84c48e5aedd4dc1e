package gateways

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/assembly"
)

// A HealthConfig says where probes are answered.
type HealthConfig struct {
	Address string `doc:"host:port at which /health/readiness and /health/liveness answer; empty: nowhere"`
}

// Validate names the first bad field.
func (c *HealthConfig) Validate() error {
	if c.Address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return errors.New("address: must have the form host:port")
	}
	return nil
}

// startProbes answers the cluster's questions until the parts are closed. A gateway that cannot reach its neighbours is not
// ready, but it is alive: a restart brings none of them back.
func startProbes(c HealthConfig, p *assembly.Parts) error {
	if c.Address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return fmt.Errorf("listening for probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/liveness", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/readiness", func(w http.ResponseWriter, r *http.Request) {
		if err := p.Health.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(listener) }()
	p.OnClose(func(context.Context) error { return server.Close() })
	p.Listening("http", listener.Addr().String(), false)
	return nil
}
