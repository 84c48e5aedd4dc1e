package registryfn

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Sweeper goes on with deletions. *store.Store is one.
type Sweeper interface {
	Sweep(context.Context) (changes []registry.Change, more bool, err error)
}

// A DeletionSweeper ends the deletion of applications whose many devices no request had the time to delete, or whose request died.
// Every process has one; they do not harm each other.
type DeletionSweeper struct {
	interval time.Duration
	store    Sweeper
	changes  *changes.Relay
	log      *zap.Logger
}

// NewDeletionSweeper makes a sweeper, which does nothing before Run. The log may be nil.
func NewDeletionSweeper(c Config, s Sweeper, r *changes.Relay, log *zap.Logger) *DeletionSweeper {
	if log == nil {
		log = zap.NewNop()
	}
	return &DeletionSweeper{interval: c.SweepInterval, store: s, changes: r, log: log}
}

// Run looks for deletions to go on with, after every interval, until the context ends.
func (k *DeletionSweeper) Run(ctx context.Context) {
	ticker := time.NewTicker(k.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for k.sweep(ctx) {
			}
		}
	}
}

// sweep goes one step, unless too many changes wait to be told, and tells whether there is a next one.
func (k *DeletionSweeper) sweep(ctx context.Context) (more bool) {
	if ctx.Err() != nil || k.changes.Full() {
		return false
	}
	changed, more, err := k.store.Sweep(ctx)
	k.changes.Tell(ctx, changed)
	if err != nil && ctx.Err() == nil {
		k.log.Warn("deletions of applications wait to be ended", zap.Error(err))
	}
	return more && err == nil
}
