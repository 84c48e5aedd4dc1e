package assembly

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/door"
	"github.com/fairlead/fairlead/internal/forwarded"
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
	process.TuneMemory(process.FunctionGC)
	i := &instance{log: process.Logger(c.Process)}
	proxies, err := forwarded.New(c.Proxies)
	if err != nil {
		return nil, fmt.Errorf("proxies.%w", err)
	}
	metrics, err := process.Observe(ctx, c.Process, "fairlead-"+c.Function)
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
	i.handler = proxies.Handler(i.handler)
	return i, nil
}

// startDataPlane assembles a function that devices, or gateways for them, talk to.
func (i *instance) startDataPlane(ctx context.Context, c Config) error {
	devices, err := openDoor(ctx, c, i.log)
	if err != nil {
		return err
	}
	checks := devices.Checks()
	if c.Function == Auth {
		if i.handler, err = authenticator(c, devices, i.log); err != nil {
			return errors.Join(err, devices.Close(ctx))
		}
	} else {
		producer, err := kafka.NewProducer(c.Kafka)
		if err != nil {
			return errors.Join(err, devices.Close(ctx))
		}
		checks = append(checks, process.Check{Name: "kafka", Run: producer.Ready})
		i.closers = append(i.closers, producer.Close)
		i.handler = adapter(c, devices, ingest.New(c.Ingest, producer))
	}
	i.health = process.NewHealth(checks...)
	i.closers = append(i.closers, devices.Close)
	return nil
}

// authenticator is the handler of the authentication function. Where providers are configured, their services may ask.
func authenticator(c Config, devices *door.Door, log *zap.Logger) (http.Handler, error) {
	handler := authfn.New(c.API, devices.ForGateways())
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
