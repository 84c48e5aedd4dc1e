package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/tlspsk"
	"github.com/fairlead/fairlead/internal/transport"
)

// Bounds of the server that are no settings.
const (
	maxHeaders   = 32 << 10         // bytes of a request's headers
	maxStreams   = 100              // requests at once of a connection of HTTP/2
	answerMargin = 10 * time.Second // that an answer may take to be written after the longest request
)

// A Gateway forwards the requests of devices.
type Gateway struct {
	config      Config
	server      *http.Server
	refusals    *refusal.Log
	log         *zap.Logger
	metrics     *metrics
	connections atomic.Int64
}

// New makes a gateway of a valid configuration, which signs who its clients are. Refusals of its own are reported.
func New(c Config, signer *assertion.Signer, refusals *refusal.Log, log *zap.Logger) (*Gateway, error) {
	g := &Gateway{config: c, refusals: refusals, log: log}
	g.metrics = newMetrics(g.connections.Load)
	forwarder, err := newForwarder(c, newUpstream(c, signer, g.metrics), refusals, g.metrics)
	if err != nil {
		return nil, err
	}
	problems, err := zap.NewStdLogAt(log, zapcore.DebugLevel) // which clients cause at will
	if err != nil {
		return nil, err
	}
	g.server = &http.Server{
		Handler:           forwarder,
		ReadHeaderTimeout: c.HeaderTimeout,
		ReadTimeout:       c.RequestTimeout,
		WriteTimeout:      c.RequestTimeout + answerMargin,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    maxHeaders,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          problems,
		ConnContext:       withConnection,
		ConnState:         g.follow,
	}
	return g, nil
}

// Listen opens the listener of a gateway. Clients may use the pre-shared keys that are looked up. The log may be nil.
func Listen(c transport.Config, keys psk.Lookup, log *zap.Logger) (*tlspsk.Listener, error) {
	return transport.ListenTLS(c, []string{"h2", "http/1.1"}, keys, log)
}

// Serve serves the connections of a listener until ctx ends. It then takes no more, and returns when the requests before are answered,
// or after Config.DrainTimeout.
func (g *Gateway) Serve(ctx context.Context, listener *tlspsk.Listener) error {
	ended := make(chan error, 1)
	go func() {
		ended <- g.server.Serve(tlspsk.Established(listener, g.config.MaxHandshakes, g.reportHandshake))
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.config.DrainTimeout)
	defer cancel()
	if err := g.server.Shutdown(drain); err != nil {
		g.log.Warn("HTTP gateway closes before all requests are answered", zap.Error(err))
		_ = g.server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// reportHandshake reports a TLS handshake that did not succeed.
func (g *Gateway) reportHandshake(f psk.Failure) {
	report := auth.ReportOf(&f)
	report.Protocol, report.Where, report.Answer = refusal.HTTP, "TLS handshake", "no connection"
	g.refusals.Report(report)
}

// follow counts connections, and closes what is beyond the bound before anything is read of it.
func (g *Gateway) follow(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if g.connections.Add(1) > int64(g.config.MaxConnections) {
			g.metrics.refusedConnection()
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		g.connections.Add(-1)
	}
}
