package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/eclipse/paho.golang/autopaho"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A Bridge forwards from one broker into one application.
type Bridge struct {
	config   Config
	log      *zap.Logger
	metrics  *bridgeMetrics
	refusals *refusal.Log

	routes    routes
	forwarder *forward.Forwarder
	ledger    *ledger
	intake    *intake
	upstream  *upstream
}

// New makes a bridge of a configuration that is valid. The files that it names are read. Its log may be nil.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, log *zap.Logger) (*Bridge, error) {
	if log == nil {
		log = zap.NewNop()
	}
	routes, err := parseRoutes(c.Patterns)
	if err != nil {
		return nil, fmt.Errorf("patterns: %w", err)
	}
	b := &Bridge{config: c, log: log, metrics: newBridgeMetrics(), refusals: pipeline.Refusals(), routes: routes, ledger: newLedger()}
	b.forwarder = forward.New(forward.Config{
		Protocol: refusal.Bridge, Gateway: c.Gateway, RetryDelay: c.RetryDelay, AuthTimeout: c.AuthTimeout,
	}, devices, pipeline, b.metrics.retried, log)
	b.intake = newIntake(b, c.InFlight)
	if b.upstream, err = newUpstream(c, routes, b); err != nil {
		return nil, err
	}
	return b, nil
}

// Run forwards until ctx ends. Then it takes nothing more, waits within the drain timeout for what is being stored,
// acknowledges it, and leaves the rest to the broker. It can be called once.
func (b *Bridge) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	defer b.upstream.workers.Wait()
	defer helpers.Wait()
	defer end()
	defer b.metrics.observe(b)()
	helpers.Go(func() { b.forwarder.Run(life) })
	connection, err := b.upstream.connect(life, b.intake.take)
	if err != nil {
		return fmt.Errorf("preparing the connection to the broker: %w", err)
	}
	<-ctx.Done()

	deadline, cancel := context.WithTimeout(life, b.config.DrainTimeout)
	defer cancel()
	if err := b.forwarder.Close(deadline); err != nil {
		b.log.Warn("some messages are left to the broker, although they may be stored", zap.Error(err))
	}
	b.ledger.flush(deadline)
	return b.disconnect(connection)
}

// stopping is closed when nothing more is begun.
func (b *Bridge) stopping() <-chan struct{} { return b.forwarder.Stopping() }

// disconnect closes the connection, and says so to the broker, which keeps the session.
func (b *Bridge) disconnect(connection *autopaho.ConnectionManager) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.config.Broker.ConnectTimeout)
	defer cancel()
	if err := connection.Disconnect(ctx); err != nil {
		return fmt.Errorf("disconnecting from the broker: %w", err)
	}
	return nil
}

// Ready tells why nothing is forwarded: the broker is away or grants no subscription, or the gateway is not admitted.
func (b *Bridge) Ready(context.Context) error {
	if err := b.upstream.ready(); err != nil {
		return err
	}
	if !b.forwarder.Admitted() {
		return errors.New("the registry does not admit the bridge as a gateway device")
	}
	return nil
}
