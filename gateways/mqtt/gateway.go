package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/tracing"
)

// A Gateway admits devices over MQTT, publishes what they say, and hands them their commands.
type Gateway struct {
	config    Config
	devices   auth.Authenticator
	pipeline  *ingest.Pipeline
	commands  *command.Hub
	presences presences
	log       *zap.Logger
	metrics   *gatewayMetrics
	tracer    tracing.Tracer
	server    *protocol.Server

	budget        *budget
	calendar      *calendar
	subscriptions atomic.Int64
}

// New makes a gateway. Its log may be nil. The tracker is run and closed by whoever made it, and outlives the gateway.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, commands *command.Hub, tracker *presence.Tracker, log *zap.Logger) *Gateway {
	return newGateway(c, devices, pipeline, commands, trackerPresences{tracker}, log)
}

func newGateway(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, commands *command.Hub, p presences, log *zap.Logger) *Gateway {
	if log == nil {
		log = zap.NewNop()
	}
	g := &Gateway{config: c, devices: devices, pipeline: pipeline, commands: commands, presences: p, log: log, tracer: tracing.New()}
	g.calendar = newCalendar(c.Renewals)
	g.budget = newBudget(c.MaxInFlight, c.MaxInFlightBytes, func() { g.metrics.waited() })
	g.metrics = newGatewayMetrics(gauges{g.budget.spent, g.subscriptions.Load, g.calendar.len})
	g.server = protocol.NewServer(c.Connection, g, log)
	g.server.OnBroken(g.reportBroken)
	return g
}

// Run opens the listeners of the configuration and serves them as Serve does.
func (g *Gateway) Run(ctx context.Context) error {
	listeners, err := Listen(g.config, g.log)
	if err != nil {
		return err
	}
	return g.Serve(ctx, listeners)
}

// Serve serves listeners until ctx ends, or until one of them fails, which is the error. Then it drains: it accepts and reads
// nothing more, waits within Config.DrainTimeout for Kafka's answers, passes them on, and takes leave of every client. It
// closes the listeners.
func (g *Gateway) Serve(ctx context.Context, l Listeners) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	web := g.webServer()
	var running sync.WaitGroup
	serve := func(what string, serve func(net.Listener) error, l net.Listener) {
		if l == nil {
			return
		}
		running.Go(func() {
			if err := serve(l); err != nil && !closed(err) {
				cancel(fmt.Errorf("serving %s: %w", what, err))
			}
		})
	}
	serve("MQTT", g.server.Serve, l.TCP)
	serve("MQTT over TLS", g.server.Serve, l.TLS)
	serve("MQTT over WebSocket", web.Serve, l.WebSocket)
	serve("MQTT over WebSocket and TLS", web.Serve, l.WebSocketTLS)
	running.Go(func() { g.calendar.run(ctx, g.attend) })

	<-ctx.Done()
	err := errors.Join(g.drain(web), l.Close())
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = errors.Join(cause, err)
	}
	return err
}

// closed tells whether a listener ended because it was closed.
func closed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed)
}

// drain ends the servers in the order in which clients reach them.
func (g *Gateway) drain(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.config.DrainTimeout)
	defer cancel()
	var problems []error
	if err := web.Close(); err != nil && !closed(err) {
		problems = append(problems, fmt.Errorf("closing the listeners of WebSocket: %w", err))
	}
	if err := g.server.Shutdown(ctx); err != nil {
		problems = append(problems, fmt.Errorf("draining connections: %w", err))
	}
	return errors.Join(problems...)
}
