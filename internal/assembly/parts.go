package assembly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"
	"knative.dev/pkg/observability/metrics"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/sink"
)

// defaultMetrics is where Knative's library serves Prometheus unless it is told otherwise.
const defaultMetrics = ":9090"

// Parts are what a process is made from. Those that it does not need are nil.
type Parts struct {
	Log      *zap.Logger
	Health   *process.Health // add to it what readiness depends on
	Refusals *refusal.Log    // of adapters and of the registry

	Authenticator auth.Authenticator // in all its layers
	Decisions     *auth.Cache        // the same without what slows refusals down, for the authentication function: that is done where devices are connected, once
	Service       *auth.Service      // which judges credentials; nil where another process does
	Documents     *cache.Cache       // of the registry, where the process has them
	Changes       *cache.Cache       // to hear of changes of the registry; nil where Redis is not configured

	Producer *kafka.Producer // nil where a sink takes its place
	Writer   ingest.Writer   // of events: the producer, or the sink
	Pipeline *ingest.Pipeline
	Commands *command.Hub    // who listens in this process
	Router   *command.Router // of commands between processes; nil without Redis

	closers []func(context.Context) error
}

// A Registry has the registry's documents, and the secret that all who judge credentials share; usually a *store.Store.
type Registry interface {
	cache.Backend
	ProofSecret(ctx context.Context) ([]byte, error)
}

// Neighbours are what the parts get from outside.
type Neighbours struct {
	Log           *zap.Logger                 // nil makes one as the configuration says, and exports metrics and traces as it says
	Registry      Registry                    // of a process that judges credentials or has documents
	Refused       func(refusal.Report)        // sees everything that is refused; may be nil
	CloseRegistry func(context.Context) error // called last when the parts are closed; nil leaves the registry open
}

// Open makes the parts of a process from its configuration, whose groups are c and a, and from its neighbours. It connects to
// nothing; readiness does.
func Open(ctx context.Context, p Process, c Config, a auth.Config, n Neighbours) (_ *Parts, err error) {
	parts := &Parts{Log: n.Log, Health: process.NewHealth()}
	defer func() {
		if err != nil {
			err = errors.Join(err, parts.Close(ctx))
		}
	}()
	if n.CloseRegistry != nil {
		parts.OnClose(n.CloseRegistry)
	}
	if parts.Log == nil {
		if err := parts.observe(ctx, p, c.Process); err != nil {
			return nil, err
		}
	}
	parts.Refusals = refusal.NewLog(parts.Log, n.Refused)
	if err := parts.openAccess(ctx, p, c, a, n); err != nil {
		return nil, err
	}
	if err := parts.openWriter(p, c); err != nil {
		return nil, err
	}
	if p.Commands {
		if err := parts.openCommands(c.Cache.Config); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// openCommands makes what takes commands to devices: within the process, and through Redis where that is configured.
func (p *Parts) openCommands(c redis.Config) error {
	p.Commands = command.NewHub()
	if p.Pipeline != nil {
		p.Pipeline.AnswerTo(p.Commands)
	}
	if c.URL == "" {
		return nil
	}
	client, err := c.ClientWithoutRetries()
	if err != nil {
		return fmt.Errorf("opening Redis for commands: cache.%w", err)
	}
	p.Router = command.NewRouter(client, c.Instance, p.Commands, p.Log)
	p.OnClose(func(context.Context) error { p.Router.Close(); return client.Close() })
	return nil
}

// observe makes the log, and exports metrics and traces under the name of the process.
func (p *Parts) observe(ctx context.Context, of Process, c process.Config) error {
	p.Log = process.Logger(c)
	p.OnClose(func(context.Context) error { _ = p.Log.Sync(); return nil })
	shutdown, err := process.Observe(ctx, c, of.service())
	if err != nil {
		return err
	}
	p.OnClose(shutdown)
	if c.MetricsProtocol == metrics.ProtocolPrometheus {
		p.Listening("http", cmp.Or(c.MetricsEndpoint, defaultMetrics), false)
	}
	return nil
}

// service is the name of the process in metrics and traces.
func (p *Process) service() string {
	if p.Kind == Gateway {
		return "fairlead-gateway-" + p.Name
	}
	return "fairlead-" + p.Name
}

func (p *Parts) openAccess(ctx context.Context, of Process, c Config, a auth.Config, n Neighbours) error {
	switch of.access(a.Client.URL != "") {
	case NoAccess:
		return nil
	case Asks:
		return p.ask(ctx, c, a)
	case Documents:
		return p.openDocuments(c.Cache, n)
	default:
		if err := p.openDocuments(c.Cache, n); err != nil {
			return err
		}
		return p.judge(ctx, c, a, n)
	}
}

// openWriter opens what events are handed to, the producer or the sink in its place, and the pipeline that writes to it.
func (p *Parts) openWriter(of Process, c Config) error {
	var ready process.Check
	switch {
	case of.usesSink(&c):
		w, err := sink.New(c.Sink)
		if err != nil {
			return fmt.Errorf("sink.%w", err)
		}
		w.LogTo(p.Log)
		p.OnClose(w.Close)
		p.Writer, ready = w, process.Check{Name: "sink", Run: w.Ready}
	case slices.Contains(of.Groups, groupKafka):
		if err := p.openProducer(c.Kafka); err != nil {
			return err
		}
		p.Writer, ready = p.Producer, process.Check{Name: "kafka", Run: p.Producer.Ready}
	}
	if slices.Contains(of.Groups, groupIngest) {
		p.Pipeline = ingest.New(c.Ingest, p.Writer).ReportTo(p.Refusals)
		p.Health.Add(ready)
	}
	return nil
}

func (p *Parts) openProducer(c kafka.Config) (err error) {
	if p.Producer, err = kafka.NewProducer(c); err != nil {
		return fmt.Errorf("opening Kafka: %w", err)
	}
	p.Producer.LogTo(p.Log)
	p.OnClose(p.Producer.Close)
	return nil
}

// HasRegistry tells whether a process with that configuration of its authentication reads the registry's database itself.
func (p *Process) HasRegistry(a auth.Config) bool {
	access := p.access(a.Client.URL != "")
	return access == Judges || access == Documents
}

// Listening logs that the process listens at an address.
func (p *Parts) Listening(protocol, address string, secure bool) {
	p.Log.Info("listening", zap.String("protocol", protocol), zap.String("address", address), zap.Bool("tls", secure))
}

// OnClose adds a step to Close, before those that are there: what was opened last is closed first.
func (p *Parts) OnClose(step func(context.Context) error) { p.closers = append(p.closers, step) }

// Close closes what the parts hold, and goes on where something fails.
func (p *Parts) Close(ctx context.Context) error {
	var problems []error
	for _, step := range slices.Backward(p.closers) {
		problems = append(problems, step(ctx))
	}
	p.closers = nil
	return errors.Join(problems...)
}

func closing(c func() error) func(context.Context) error {
	return func(context.Context) error { return c() }
}
