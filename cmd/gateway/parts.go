package main

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/door"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
)

// parts are what every gateway is put together from.
type parts struct {
	config   Config
	log      *zap.Logger
	door     *door.Door
	pipeline *ingest.Pipeline
	health   *probes
	closers  []func(context.Context) error // in order
}

// check adds to what readiness depends on.
func (p *parts) check(c process.Check) { p.health.add(c) }

// serve runs a gateway until ctx ends, and closes everything after it.
func serve(ctx context.Context, g gateway, c Config) error {
	p, err := assemble(ctx, g.name, c)
	if err != nil {
		return err
	}
	p.log.Info("gateway starting", zap.String("gateway", g.name))
	idle, stop := context.WithCancel(ctx)
	defer stop()
	go process.ReturnMemory(idle)
	err = g.run(ctx, p)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return errors.Join(err, p.close(closing))
}

// assemble connects to nothing but takes the address for probes; readiness connects.
func assemble(ctx context.Context, name string, c Config) (_ *parts, err error) {
	p := &parts{config: c, log: process.Logger(c.Process)}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	metrics, err := process.Observe(ctx, c.Process, "fairlead-gateway-"+name)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, metrics)
	if p.health, err = startProbes(c.Health); err != nil {
		return nil, err
	}
	p.first(p.health.close)
	sign, err := c.Self.Signer()
	if err != nil {
		return nil, fmt.Errorf("self.%w", err)
	}
	if p.door, err = door.NewClient(ctx, c.Auth.layers(), c.Cache, sign); err != nil {
		return nil, err
	}
	p.first(p.door.Close)
	producer, err := kafka.NewProducer(c.Kafka)
	if err != nil {
		return nil, fmt.Errorf("opening Kafka: %w", err)
	}
	p.first(producer.Close)
	p.pipeline = ingest.New(c.Ingest, producer)
	p.check(process.Check{Name: "kafka", Run: producer.Ready})
	return p, nil
}

// first puts a step before those that are there: what was opened last is closed first.
func (p *parts) first(step func(context.Context) error) {
	p.closers = append([]func(context.Context) error{step}, p.closers...)
}

// close goes on where something fails.
func (p *parts) close(ctx context.Context) error {
	var problems []error
	for _, c := range p.closers {
		problems = append(problems, c(ctx))
	}
	_ = p.log.Sync()
	return errors.Join(problems...)
}
