package devcloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

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
)

// Neighbours are what the functions are put together around.
type Neighbours struct {
	Kafka kafka.Config
	Redis string // URL
	Store *store.Store
}

// Functions are the functions of the data plane in this process.
type Functions struct {
	Telemetry, TTN, Auth http.Handler
	Ready                func(context.Context) error
	Invalidate           func(context.Context, ...registry.Change) error // tells caches what changed in the registry
	Close                func(context.Context) error                     // flushes what Kafka has not acknowledged

	// What gateways are put together from, too.
	door     *door.Door
	pipeline *ingest.Pipeline
	commands *command.Hub
}

// assemble puts the functions together as internal/assembly does for a cluster, with its defaults. All of them share one
// door, one pipeline and one producer.
func assemble(ctx context.Context, n *Neighbours, logger *slog.Logger) (*Functions, error) {
	c := assembly.DefaultConfig()
	c.Kafka, c.Cache.URL = n.Kafka, n.Redis
	devices, err := door.NewJudge(ctx, c.Auth, c.Cache, n.Store, zapTo(logger))
	if err != nil {
		return nil, err
	}
	producer, err := kafka.NewProducer(c.Kafka)
	if err != nil {
		return nil, errors.Join(err, devices.Close(ctx))
	}
	pipeline := ingest.New(c.Ingest, producer)
	health := process.NewHealth(append(devices.Checks(), process.Check{Name: "kafka", Run: producer.Ready})...)
	return &Functions{
		door: devices, pipeline: pipeline, commands: command.NewHub(),
		Telemetry:  telemetry.New(c.Telemetry, devices, pipeline),
		TTN:        ttn.New(c.TTN, devices, pipeline),
		Auth:       authfn.New(c.API, devices),
		Ready:      health.Ready,
		Invalidate: devices.Invalidate,
		Close: func(ctx context.Context) error {
			return errors.Join(producer.Close(ctx), devices.Close(ctx))
		},
	}, nil
}
