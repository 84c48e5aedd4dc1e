package mqtt

import (
	"context"
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

	budget        *protocol.Budget
	rechecker     *protocol.Rechecker
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
	g.rechecker = protocol.NewRechecker(c.RecheckConfig)
	g.budget = protocol.NewBudget(c.BudgetConfig)
	g.metrics = newGatewayMetrics(g.subscriptions.Load)
	g.server = protocol.NewServer(c.Connection, g, log)
	g.server.OnBroken(g.reportBroken)
	return g
}

// Serve serves listeners until ctx ends, or until one of them fails, which is the error. Then it drains: it accepts and reads
// nothing more, waits within Config.DrainTimeout for Kafka's answers, passes them on, and takes leave of every client. It
// closes the listeners.
func (g *Gateway) Serve(ctx context.Context, l protocol.Listeners) error {
	return g.server.Run(ctx, l, g.config.DrainTimeout, g.rechecker.Run)
}
