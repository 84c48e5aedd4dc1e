package devcloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"go.uber.org/zap"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/door"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

// Neighbours are what the functions are put together around.
type Neighbours struct {
	Kafka kafka.Config
	Redis string       // URL
	Token string       // that who asks for device authentication has to show
	Save  func() error // has on disk what is in the embedded Redis; nil with a real one
	Store *store.Store
}

// Management is what the registry's API is put together with.
type Management struct {
	Users     user.Config
	Endpoints registryfn.EndpointsConfig
}

// Functions are the functions of the data plane in this process.
type Functions struct {
	Telemetry, TTN, Auth http.Handler
	Registry             http.Handler // nil without a Management
	Ready                func(context.Context) error
	Invalidate           func(context.Context, ...registry.Change) error // tells caches what changed in the registry
	Close                func(context.Context) error                     // flushes what Kafka has not acknowledged

	// What gateways are put together from, too.
	door     *door.Door
	pipeline *ingest.Pipeline
	commands *command.Hub
}

// assemble puts the functions together as internal/assembly does for a cluster, with its defaults. All of them share one
// door, one pipeline and one producer. Without a Management there is no API.
func assemble(ctx context.Context, n *Neighbours, m *Management, logger *slog.Logger) (*Functions, error) {
	c := assembly.DefaultConfig()
	c.Kafka, c.Cache.URL = n.Kafka, n.Redis
	c.API.Token = n.Token
	devices, err := door.NewJudge(ctx, c.Auth, c.Cache, n.Store, zapTo(logger))
	if err != nil {
		return nil, err
	}
	producer, err := kafka.NewProducer(c.Kafka)
	if err != nil {
		return nil, errors.Join(err, devices.Close(ctx))
	}
	f := &Functions{Invalidate: devices.Invalidate}
	f.Close = func(ctx context.Context) error { return errors.Join(producer.Close(ctx), devices.Close(ctx)) }
	if m != nil {
		if err := f.manage(ctx, c, n, m, devices, producer, zapTo(logger)); err != nil {
			return nil, errors.Join(err, f.Close(ctx))
		}
	}
	pipeline := ingest.New(c.Ingest, producer)
	health := process.NewHealth(append(devices.Checks(), process.Check{Name: "kafka", Run: producer.Ready})...)
	f.Telemetry, f.TTN = telemetry.New(c.Telemetry, devices, pipeline), ttn.New(c.TTN, devices, pipeline)
	f.Auth, f.Ready = authfn.New(c.API, devices.ForGateways()), health.Ready
	f.door, f.pipeline, f.commands = devices, pipeline, command.NewHub()
	return f, nil
}

// manage adds the registry's API.
func (f *Functions) manage(ctx context.Context, c assembly.Config, n *Neighbours, m *Management, devices *door.Door, producer *kafka.Producer, log *zap.Logger) error {
	if err := kafka.EnsureTopics(ctx, n.Kafka, Partitions, c.Changes.Topic); err != nil {
		return err
	}
	c.User, c.Registry.Endpoints = m.Users, m.Endpoints
	api, err := assembly.NewRegistry(c, n.Store, devices, producer, log)
	if err != nil {
		return err
	}
	f.Registry = api
	rest := f.Close
	f.Close = func(ctx context.Context) error { return errors.Join(api.Close(ctx), rest(ctx)) }
	return nil
}
