package gateways

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/process"
)

// closeTimeout bounds what is left to do after a gateway has drained: making ends of sessions known, and flushing to Kafka.
const closeTimeout = 30 * time.Second

// Run runs a gateway of the table until ctx ends, and closes everything after it.
func Run(ctx context.Context, p assembly.Process, c Config) error {
	return run(ctx, p, c, constructors[p.Name], assembly.Neighbours{})
}

func run(ctx context.Context, p assembly.Process, c Config, construct constructor, n assembly.Neighbours) (err error) {
	parts, err := assembly.Open(ctx, p, c.Config, c.Auth.layers(), n)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, parts.Close(closing))
	}()
	parts.Log.Info("gateway starting", zap.String("gateway", p.Name))
	stage := &stage{}
	parts.Health.Add(process.Check{Name: "gateway", Run: stage.ready})
	if err := startProbes(c.Health, parts); err != nil {
		return err
	}
	serve, err := construct(ctx, &c, parts)
	if err != nil {
		return err
	}
	idle, stop := context.WithCancel(ctx)
	defer stop()
	go process.ReturnMemory(idle)
	process.SpareCollections(idle)
	defer context.AfterFunc(ctx, func() { stage.now.Store(stopping) })()
	stage.now.CompareAndSwap(starting, serving)
	return serve(ctx)
}

// A stage is how far the life of a gateway has come. Devices may come once it listens, and until it drains.
type stage struct{ now atomic.Int32 }

// The stages.
const (
	starting = iota
	serving
	stopping
)

func (s *stage) ready(context.Context) error {
	switch s.now.Load() {
	case starting:
		return errors.New("it does not listen yet")
	case stopping:
		return errors.New("it is stopping")
	default:
		return nil
	}
}
