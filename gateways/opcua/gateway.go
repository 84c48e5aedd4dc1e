package opcua

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A Gateway forwards from OPC UA servers into one application.
type Gateway struct {
	config   Config
	log      *zap.Logger
	metrics  *gatewayMetrics
	refusals *refusal.Log

	forwarder *forward.Forwarder
	claimer   claimer
	hub       *command.Hub
	maxBody   int // of a message, in bytes
	upstreams []*upstream
}

// New makes a gateway of a configuration that is valid. The mapping and the files that it names are read; certificates are made if
// there are none.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, hub *command.Hub, tracker *presence.Tracker, log *zap.Logger) (*Gateway, error) {
	file, findings := mapping.Load(c.Mapping)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	for _, finding := range findings {
		log.Warn("the mapping may not do what it says", zap.Stringer("finding", finding))
	}
	g := &Gateway{
		config: c, log: log, metrics: newGatewayMetrics(), refusals: pipeline.Refusals(), claimer: trackerClaimer{tracker}, hub: hub,
		maxBody: pipeline.MaxBody(),
	}
	g.forwarder = forward.New(forward.Config{
		Protocol: refusal.OPCUA, Gateway: c.Gateway, Batch: c.InFlight, InFlight: c.InFlight, RetryDelay: c.RetryDelay, AuthTimeout: c.AuthTimeout,
	}, devices, pipeline, g.metrics.retried, log)
	for _, s := range file.Servers {
		u, err := newUpstream(g, s)
		if err != nil {
			return nil, fmt.Errorf("server %s: %w", s.Name, err)
		}
		g.upstreams = append(g.upstreams, u)
	}
	return g, nil
}

// Run forwards until ctx ends. Then it takes nothing more, waits within the drain timeout for what is being stored, acknowledges
// it, and leaves the rest to the servers. It can be called once.
func (g *Gateway) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer end()
	defer g.metrics.observe(g)()
	running.Go(func() { g.forwarder.Run(life) })
	failed := make(chan error, len(g.upstreams))
	for _, u := range g.upstreams {
		running.Go(func() {
			if err := u.run(life); err != nil {
				failed <- fmt.Errorf("server %s: %w", u.name, err)
			}
		})
	}
	listening, deaf := context.WithCancel(life)
	var listener sync.WaitGroup
	listener.Go(func() { g.listen(listening) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	deaf()
	listener.Wait()
	g.drain(life)
	return err
}

// drain waits for commands that are being done, and then for messages that are being stored.
func (g *Gateway) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.config.DrainTimeout)
	defer cancel()
	for _, u := range g.upstreams {
		u.commands.close(ctx)
	}
	if err := g.forwarder.Close(ctx); err != nil {
		g.log.Warn("some messages are left to the servers, although they may be stored", zap.Error(err))
	}
}

// Ready tells why nothing is forwarded: no server is connected, or the gateway is not admitted.
func (g *Gateway) Ready(ctx context.Context) error {
	if !g.forwarder.Admitted() {
		return errors.New("the registry does not admit this process as a gateway device")
	}
	var problems []error
	for _, u := range g.upstreams {
		err := u.server.Ready(ctx)
		if err == nil {
			return nil
		}
		problems = append(problems, fmt.Errorf("server %s: %w", u.name, err))
	}
	return errors.Join(problems...)
}

// A claimer makes sessions of devices. trackerClaimer is one.
type claimer interface {
	Claim(ctx context.Context, s *auth.Session, lost func()) (lease, error)
}

// A lease is a session that goes on until it is released.
type lease interface{ Release(fireWill bool) }

type trackerClaimer struct{ tracker *presence.Tracker }

// Claim makes a session without a will.
func (c trackerClaimer) Claim(ctx context.Context, s *auth.Session, lost func()) (lease, error) {
	l, err := c.tracker.Claim(ctx, s, nil, lost)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// firstPause is about how long to wait after the first failure of something.
const firstPause = 200 * time.Millisecond
