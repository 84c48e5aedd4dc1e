package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Publisher stores events; *ingest.Pipeline is one. It calls done exactly once, when the event is stored or will not be.
type Publisher interface {
	Publish(ctx context.Context, from *auth.Session, as *registry.Device, m ingest.Message, done func(outcome.Result))
}

var _ Publisher = (*ingest.Pipeline)(nil)

// A Tracker knows the sessions of this process, and takes part in what all processes do together. It is safe for
// concurrent use.
type Tracker struct {
	config    Config
	ledger    *ledger
	publisher Publisher
	log       *zap.Logger
	metrics   *metrics
	node      string        // name of this process in all its lives
	part      time.Duration // what each of its last words may take

	heart   *heart
	endings *endings
	drainer *drainer
	checks  chan struct{} // wakes the comparison with Redis
	graves  chan struct{} // wakes the release of what dead processes held
	running atomic.Bool
	ctx     context.Context // ends with Close
	stop    context.CancelFunc

	claims    sync.WaitGroup   // that are under way; none is added once closing is set
	mu        sync.Mutex       // guards what follows, and the changing part of every Lease; nothing is called while it is held
	leases    map[epoch]*Lease // until their end is written
	sessions  int              // leases that are not gone
	willBytes int              // of the leases
	life      uint32           // the node's present one
	closing   bool
}

// New makes a tracker for the installation of that name. It does not connect; the client stays the caller's and is closed
// after the tracker. The log may be nil.
func New(c Config, client redis.UniversalClient, instance string, p Publisher, log *zap.Logger) (*Tracker, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	if instance == "" {
		return nil, errors.New("presence: instance: is missing")
	}
	t := &Tracker{
		config:    c,
		ledger:    newLedger(&c, client, instance),
		publisher: p,
		log:       sampled(log),
		node:      rand.Text(),
		part:      partTimeout,
		checks:    make(chan struct{}, 1),
		graves:    make(chan struct{}, 1),
		leases:    map[epoch]*Lease{},
	}
	t.heart = newHeart(c.Life)
	t.endings = &endings{tracker: t}
	t.drainer = newDrainer(t, c.Drains)
	t.metrics = newMetrics(t.held, t.heart.waiting.Load)
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t, nil
}

// sampled bounds what is logged of events that are given up.
func sampled(log *zap.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	const first, thereafter = 20, 1000 // of the same line in a second
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, first, thereafter)
	}))
}

// Run gives the signs of life of this process and does its share of the common work, until ctx ends or Close has returned.
// It is called once, and goes on until after Close: a process that still holds devices and does not run is dead to the
// others.
func (t *Tracker) Run(ctx context.Context) error {
	if t.running.Swap(true) {
		return errors.New("presence: is running already")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	var group sync.WaitGroup
	for _, work := range []func(context.Context){t.beat, t.listen, t.sweep, t.clean, t.verify} {
		group.Go(func() { work(ctx) })
	}
	group.Wait()
	return nil
}

// Ready is nil if Redis has heard of this process lately and tells it what others say, so that devices may come.
func (t *Tracker) Ready(context.Context) error {
	switch {
	case !t.heart.beats():
		return errors.New("presence: redis has not heard a heartbeat of this process for too long")
	case t.heart.failing.Load():
		return errors.New("presence: the last heartbeat did not reach redis")
	case !t.heart.hears.Load():
		return errors.New("presence: there is no subscription to redis")
	}
	return nil
}

// Close releases what is still held, with the wills, as when connections break, and calls lost for it. It waits, as long as
// ctx allows, until the ends of all sessions are written to Redis and their events stored, and takes this process out of
// the living. What could not be written in time, the other processes release.
func (t *Tracker) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closing = true
	t.mu.Unlock()
	t.drainer.refuseOthers()
	err := t.await(ctx, t.claims.Wait)
	for _, l := range t.holding() {
		t.giveUp(l)
	}
	if err == nil {
		err = t.endings.wait(ctx)
	}
	if err == nil {
		_ = t.drainer.wait(ctx) // what is not stored waits in Redis
	}
	t.stop()
	t.settle(ctx)
	return errors.Join(err, t.leave(ctx))
}

// settle waits until what is stored is reported to Redis, so that the others do not store it again.
func (t *Tracker) settle(ctx context.Context) {
	ctx, cancel := t.parting(ctx)
	defer cancel()
	_ = t.drainer.wait(ctx)
}

// await waits for a function to return, as long as ctx allows.
func (t *Tracker) await(ctx context.Context, wait func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing presence: %w", context.Cause(ctx))
	}
}

// holding lists the leases that are held.
func (t *Tracker) holding() []*Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Lease, 0, len(t.leases))
	for _, l := range t.leases {
		if l.state == holding {
			list = append(list, l)
		}
	}
	return list
}

// leave tells the others that this process is gone.
func (t *Tracker) leave(ctx context.Context) error {
	ctx, cancel := t.parting(ctx)
	defer cancel()
	return t.ledger.leave(ctx, t.process())
}

// partTimeout is what each of the last words of a process may take.
const partTimeout = time.Second

// parting is a context for the last words of this process, which are said even if there is no time left.
func (t *Tracker) parting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), t.part)
}

// process is the name under which this process lives now.
func (t *Tracker) process() string {
	name, _ := t.identity()
	return name
}

func (t *Tracker) identity() (process string, life uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return processName(t.node, t.life), t.life
}

// held is the number of sessions.
func (t *Tracker) held() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(t.sessions)
}

// retire takes a lease out of what is held, under the lock.
func (t *Tracker) retire(l *Lease) {
	l.state = gone
	l.ended = time.Now().UnixMicro()
	t.sessions--
	l.announce()
}

// forget forgets a lease that is gone, once its end is written.
func (t *Tracker) forget(l *Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.willBytes -= len(l.will)
	delete(t.leases, l.epoch)
}

// announce wakes a Claim that waits, under the lock.
func (l *Lease) announce() {
	if l.ready != nil {
		close(l.ready)
		l.ready = nil
	}
}

// lose ends a lease whose device somebody else holds, or whose end somebody else has made known.
func (t *Tracker) lose(l *Lease) {
	t.mu.Lock()
	was := l.state
	if was == gone {
		t.mu.Unlock()
		return
	}
	t.retire(l)
	t.mu.Unlock()
	t.metrics.lose()
	t.endings.add(l) // which makes nothing known, but clears up
	if was == holding {
		l.lost()
	}
}

// giveUp ends a lease that is held, as if its connection had broken.
func (t *Tracker) giveUp(l *Lease) {
	t.mu.Lock()
	if l.state != holding {
		t.mu.Unlock()
		return
	}
	t.retire(l)
	l.fire, l.force = true, true
	t.mu.Unlock()
	t.endings.add(l)
	l.lost()
}

// find finds a lease by its epoch.
func (t *Tracker) find(e epoch) *Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leases[e]
}

// poke wakes whoever waits for a channel of capacity one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
