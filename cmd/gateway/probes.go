package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/process"
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

// probes answers the cluster's questions. A gateway that cannot reach its neighbours is not ready, but it is alive: a
// restart brings none of them back.
type probes struct {
	server *http.Server

	mu     sync.Mutex
	checks []process.Check
	health *process.Health
}

func startProbes(c HealthConfig) (*probes, error) {
	p := &probes{health: process.NewHealth()}
	if c.Address == "" {
		return p, nil
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for probes: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/liveness", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/readiness", p.readiness)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// add makes readiness depend on another check.
func (p *probes) add(c process.Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks = append(p.checks, c)
	p.health = process.NewHealth(p.checks...)
}

func (p *probes) readiness(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	health := p.health
	p.mu.Unlock()
	if err := health.Ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (p *probes) close(context.Context) error {
	if p.server == nil {
		return nil
	}
	return p.server.Close()
}
