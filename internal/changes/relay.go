package changes

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/gather"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// An Outbox is where changes wait to be told. *store.Store is one.
type Outbox interface {
	Relay(ctx context.Context, limit int, send func(context.Context, []store.Entry) []int64) (store.Relayed, error)
	Waiting(ctx context.Context, limit int) (int, error)
}

// An Invalidator has every process forget what changed. *cache.Cache is one.
type Invalidator interface {
	Invalidate(ctx context.Context, changes ...registry.Change) error
}

// A Writer stores records. *kafka.Producer is one. It calls done exactly once, with nil when the record is stored.
type Writer interface {
	Write(ctx context.Context, record *kgo.Record, done func(error))
}

// A Follower does what a change asks for before others hear of it: internal/topics makes the topic of an application. An
// error has it asked again later.
type Follower interface {
	Follow(ctx context.Context, change registry.Change) error
}

// A Relay tells what waits in an outbox. It is safe for concurrent use.
type Relay struct {
	config  Config
	outbox  Outbox
	caches  Invalidator
	writer  Writer
	follow  Follower // may be nil
	log     *zap.Logger
	metrics *metrics
	tellNow *gather.Group[[]registry.Change]
	wake    chan struct{}
	waiting atomic.Int64 // entries when they were last counted
}

// New makes a relay, which does nothing before Run. The log may be nil.
func New(c Config, o Outbox, i Invalidator, w Writer, log *zap.Logger) *Relay {
	if log == nil {
		log = zap.NewNop()
	}
	r := &Relay{config: c, outbox: o, caches: i, writer: w, log: log, wake: make(chan struct{}, 1)}
	r.metrics = newMetrics(r.waiting.Load)
	r.tellNow = gather.New(tellLimits, nil, r.invalidate)
	return r
}

// FollowWith has a follower do its part of every change. It is for before the first change.
func (r *Relay) FollowWith(f Follower) { r.follow = f }

// followTimeout bounds how long a writer waits for what his change asks for; beyond, Run sees to it.
const followTimeout = 2 * time.Second

// followNow does at once what new changes ask for, so that an application that was made can be used when its maker hears of
// it. What ends with an error is done by Run. Deletions wait for their turn: what is older goes first.
func (r *Relay) followNow(ctx context.Context, changes []registry.Change) {
	if r.follow == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), followTimeout)
	defer cancel()
	for _, change := range changes {
		if !change.Deleted {
			_ = r.follow.Follow(ctx, change)
		}
	}
}

// Tell has every process forget what was just committed, so that it holds when the writer hears that it is done, and
// has the rest told soon. It does not fail: what is not told now is told by Run, here or in another process.
func (r *Relay) Tell(ctx context.Context, changes []registry.Change) {
	if len(changes) == 0 {
		return
	}
	_ = r.tellNow.Do(context.WithoutCancel(ctx), changes) // which does not end
	r.followNow(ctx, changes)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// tellLimits have writers share the way to Redis who have committed at about the same time.
var tellLimits = gather.Limits{Together: 64, AtOnce: 2}

func (r *Relay) invalidate(ctx context.Context, all [][]registry.Change) {
	if err := r.caches.Invalidate(ctx, slices.Concat(all...)...); err != nil {
		r.metrics.failed(failedRedis)
	}
}

// Full tells whether so many changes wait to be told that there should be no more.
func (r *Relay) Full() bool { return r.waiting.Load() >= int64(r.config.MaxWaiting) }

// shortestPause is the time from one look for changes to the next, unless there is known to be more: of many changes, each
// look finds a few.
const shortestPause = 20 * time.Millisecond

// Run tells changes until the context ends: soon after Tell, and after every interval what others have left.
func (r *Relay) Run(ctx context.Context) {
	ticker := time.NewTicker(r.config.Interval)
	defer ticker.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		pause.Reset(shortestPause)
		for r.round(ctx) == again {
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-ticker.C:
		}
	}
}

const (
	drainAttempts = 5                // of Drain to have its turn
	drainTimeout  = 10 * time.Second // of Drain, so that a process ends in time where Kafka does not answer
)

// Drain tells what waits until nothing does, something fails, ten seconds are over, or the context ends. It is for the end of a
// process, after Run. While another process is at it, or the database still holds the lock of a Run that was cut short, it tries again
// for about an interval. What is left is told by another process.
func (r *Relay) Drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for range drainAttempts {
		next := again
		for next == again {
			next = r.round(ctx)
		}
		if next == over {
			return
		}
		if !backoff.Wait(ctx, r.config.Interval/drainAttempts) {
			return
		}
	}
}

// A next is what there is to do after a round.
type next uint8

const (
	over  next = iota // nothing, for now
	again             // there may be more to tell
	busy              // another process is telling
)

// round tells one batch.
func (r *Relay) round(ctx context.Context) next {
	if ctx.Err() != nil {
		return over
	}
	done, err := r.outbox.Relay(ctx, r.config.Batch, r.send)
	if err != nil && ctx.Err() == nil {
		r.metrics.failed(failedStore)
		r.log.Warn("changes of the registry wait to be told", zap.Error(err))
	}
	r.count(ctx, err == nil && !done.Busy && done.Read == done.Sent && done.Read < r.config.Batch)
	switch {
	case err == nil && done.Busy:
		return busy
	case err == nil && done.Read == r.config.Batch && done.Sent > 0:
		return again
	default:
		return over
	}
}

// count notes how many changes wait. Counting costs the more the more there are, so it is left out where nothing can be
// left.
func (r *Relay) count(ctx context.Context, drained bool) {
	if drained {
		r.waiting.Store(0)
		return
	}
	n, err := r.outbox.Waiting(ctx, r.config.MaxWaiting)
	if err == nil {
		r.waiting.Store(int64(n))
	}
}

// send tells the caches, and then Kafka. It returns the numbers of the entries that everybody knows of.
func (r *Relay) send(ctx context.Context, entries []store.Entry) []int64 {
	all := make([]registry.Change, len(entries))
	for i, entry := range entries {
		all[i] = entry.Change
	}
	if err := r.caches.Invalidate(ctx, all...); err != nil {
		if ctx.Err() == nil {
			r.metrics.failed(failedRedis)
			r.log.Warn("changes of the registry wait to be told, since Redis cannot be", zap.Error(err))
		}
		return nil
	}
	return r.publish(ctx, entries)
}

// publish writes the events of all resources at once, and those of one resource one after the other. It returns the
// numbers of the entries whose events are all acknowledged.
func (r *Relay) publish(ctx context.Context, entries []store.Entry) []int64 {
	var mu sync.Mutex
	var done []int64
	var group sync.WaitGroup
	for _, chain := range byResource(entries) {
		group.Go(func() {
			for _, entry := range chain {
				if err := r.write(ctx, entry); err != nil {
					r.failed(ctx, err)
					return
				}
				mu.Lock()
				done = append(done, entry.Seq)
				mu.Unlock()
				r.metrics.told.Add(context.Background(), 1)
				r.metrics.delay.Record(context.Background(), time.Since(entry.Created).Seconds())
			}
		})
	}
	group.Wait()
	return done
}

func (r *Relay) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the process is being stopped
	}
	r.metrics.failed(failedKafka)
	r.log.Warn("changes of the registry wait to be told, since Kafka does not take them", zap.Error(err))
}

// byResource parts entries, keeping their order, by the resource that they are about.
func byResource(entries []store.Entry) [][]store.Entry {
	type resource struct{ application, device string }
	places := map[resource]int{}
	var chains [][]store.Entry
	for _, entry := range entries {
		of := resource{entry.Change.Application, entry.Change.Device}
		place, ok := places[of]
		if !ok {
			place = len(chains)
			places[of] = place
			chains = append(chains, nil)
		}
		chains[place] = append(chains[place], entry)
	}
	return chains
}

// write has the events of one entry stored, one after the other.
func (r *Relay) write(ctx context.Context, entry store.Entry) error {
	if r.follow != nil {
		if err := r.follow.Follow(ctx, entry.Change); err != nil {
			return err
		}
	}
	for _, event := range r.events(entry) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		stored := make(chan error, 1)
		r.writer.Write(ctx, event.Record(r.config.Topic), func(err error) { stored <- err })
		if err := <-stored; err != nil {
			return err
		}
		r.metrics.events.Add(context.Background(), 1)
	}
	return nil
}
