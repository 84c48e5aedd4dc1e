package devcloud

import (
	"context"
	"errors"
	"sync"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
)

// A topics hears of what changes in the registry, and gives every application a topic before its maker hears that it is
// there. On a cluster a function does that.
type topics struct {
	kafka kafka.Config
	next  changes.Invalidator

	mu    sync.Mutex
	there map[string]bool // by application
}

var _ changes.Invalidator = (*topics)(nil)

// Invalidate tells the caches first: whatever Kafka does, they must not be wrong.
func (t *topics) Invalidate(ctx context.Context, all ...registry.Change) error {
	return errors.Join(t.next.Invalidate(ctx, all...), t.ensure(ctx, all))
}

func (t *topics) ensure(ctx context.Context, all []registry.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, change := range all {
		switch {
		case change.Kind != registry.ApplicationChanged:
		case change.Deleted:
			delete(t.there, change.Application)
		case !t.there[change.Application]:
			if err := kafka.EnsureTopics(ctx, t.kafka, Partitions, event.Topic(change.Application)); err != nil {
				return err
			}
			t.there[change.Application] = true
		}
	}
	return nil
}
