package assembly

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/user"
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
	i := &instance{log: process.Logger(c.Process)}
	metrics, err := process.Metrics(ctx, c.Process)
	if err != nil {
		return nil, err
	}
	if c.Function == DeviceRegistry {
		err = i.startRegistry(ctx, c)
	} else {
		err = i.startDataPlane(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, metrics)
	return i, nil
}

// startDataPlane assembles a function that devices, or gateways for them, talk to.
func (i *instance) startDataPlane(ctx context.Context, c Config) error {
	door, err := NewDoor(ctx, c, i.log)
	if err != nil {
		return err
	}
	checks := door.Checks()
	if c.Function == Auth {
		if i.handler, err = authenticator(c, door, i.log); err != nil {
			return errors.Join(err, door.Close(ctx))
		}
	} else {
		producer, err := kafka.NewProducer(c.Kafka)
		if err != nil {
			return errors.Join(err, door.Close(ctx))
		}
		checks = append(checks, process.Check{Name: "kafka", Run: producer.Ready})
		i.closers = append(i.closers, producer.Close)
		i.handler = adapter(c, door, ingest.New(c.Ingest, producer))
	}
	i.health = process.NewHealth(checks...)
	i.closers = append(i.closers, door.Close)
	return nil
}

// authenticator is the handler of the authentication function. Where providers are configured, their services may ask.
func authenticator(c Config, door *Door, log *zap.Logger) (http.Handler, error) {
	handler := authfn.New(c.API, door)
	if len(c.User.Providers) == 0 {
		return handler, nil
	}
	callers, err := user.New(c.User, nil, nil, log)
	if err != nil {
		return nil, err
	}
	handler.AdmitServices(callers)
	return handler, nil
}

// adapter is the handler of a function that publishes.
func adapter(c Config, door *Door, pipeline *ingest.Pipeline) http.Handler {
	if c.Function == TTN {
		return ttn.New(c.TTN, door, pipeline)
	}
	return telemetry.New(c.Telemetry, door, pipeline)
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
