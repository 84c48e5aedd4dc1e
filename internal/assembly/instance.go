package assembly

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/door"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
)

// An instance is an assembled function.
type instance struct {
	handler http.Handler
	health  *process.Health
	log     *zap.Logger
	closers []func(context.Context) error // in order
}

// start assembles what a configuration names. It connects to nothing; readiness does.
func start(ctx context.Context, c Config) (*instance, error) {
	process.TuneMemory(process.FunctionGC)
	i := &instance{log: process.Logger(c.Process)}
	metrics, err := process.Metrics(ctx, c.Process)
	if err != nil {
		return nil, err
	}
	devices, err := openDoor(ctx, c, i.log)
	if err != nil {
		return nil, err
	}
	checks := devices.Checks()
	if c.Function == Auth {
		i.handler = authfn.New(c.API, devices)
	} else {
		producer, err := kafka.NewProducer(c.Kafka)
		if err != nil {
			return nil, errors.Join(err, devices.Close(ctx))
		}
		checks = append(checks, process.Check{Name: "kafka", Run: producer.Ready})
		i.closers = append(i.closers, producer.Close)
		i.handler = adapter(c, devices, ingest.New(c.Ingest, producer))
	}
	i.health = process.NewHealth(checks...)
	i.closers = append(i.closers, devices.Close, metrics)
	return i, nil
}

// adapter is the handler of a function that publishes.
func adapter(c Config, devices *door.Door, pipeline *ingest.Pipeline) http.Handler {
	if c.Function == TTN {
		return ttn.New(c.TTN, devices, pipeline)
	}
	return telemetry.New(c.Telemetry, devices, pipeline)
}

// stop closes everything in order, and goes on where something fails.
func (i *instance) stop(ctx context.Context) error {
	var problems []error
	for _, c := range i.closers {
		problems = append(problems, c(ctx))
	}
	_ = i.log.Sync()
	return errors.Join(problems...)
}
