package forward

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// firstPause is about how long to wait after the first attempt of what has failed.
const firstPause = 200 * time.Millisecond

// A Config says in whose name messages are published, and how long what is waited for.
type Config struct {
	Protocol    string // of the source, for metrics; a name of internal/refusal
	Gateway     GatewayConfig
	Batch       int           // messages of a device that are on their way at once; 0 is 1
	InFlight    int           // messages of all devices that are on their way at once; 0 is as many as there are
	RetryDelay  time.Duration // longest between two attempts to store a message or to be admitted
	AuthTimeout time.Duration // of one question to the registry
}

// A Message is what a device said. The id and the time of the event should be set, so that all attempts make the same event.
type Message struct {
	ingest.Message
	Device string // name or alias of the device that it is about; "" is the gateway device itself

	// One of these is called once, unless Forward refuses the message. They must not block.
	Settled func(outcome.Result) // decided for good: another attempt would end alike
	Left    func()               // not decided when the forwarder was closed; it may be stored all the same
}

// A Forwarder publishes messages in the name of one gateway device. It is safe for concurrent use.
type Forwarder struct {
	config   Config
	devices  auth.Authenticator
	pipeline *ingest.Pipeline
	log      *zap.Logger
	retried  func(outcome.Outcome)

	identity *identity
	lanes    *lanes
	places   chan struct{}   // of messages that are on their way; nil: there is no bound
	closing  context.Context // ends when nothing more is begun
	close    context.CancelFunc
}

// New makes a forwarder. retried is told the outcome of each attempt to store a message that is made again.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, retried func(outcome.Outcome), log *zap.Logger) *Forwarder {
	f := &Forwarder{
		config: c, devices: devices, pipeline: pipeline, log: log, retried: retried, identity: newIdentity(c, devices, log),
	}
	f.lanes = newLanes(max(1, c.Batch), f.settle)
	if c.InFlight > 0 {
		f.places = make(chan struct{}, c.InFlight)
	}
	f.closing, f.close = context.WithCancel(context.Background())
	return f
}

// Run keeps the gateway device admitted until ctx ends. It is called once.
func (f *Forwarder) Run(ctx context.Context) { f.identity.run(ctx) }

// Admitted tells whether the registry admits the gateway device.
func (f *Forwarder) Admitted() bool { return f.identity.current() != nil }

// Forward puts a message at the end of its device's lane. It says no after Close has begun. Who calls bounds how many messages
// are not settled.
func (f *Forwarder) Forward(m *Message) bool { return f.lanes.add(m) }

// Stopping is closed when Close begins.
func (f *Forwarder) Stopping() <-chan struct{} { return f.closing.Done() }

// Close stops, and waits until every message that was on its way is settled or left, or ctx ends.
func (f *Forwarder) Close(ctx context.Context) error {
	f.close()
	return f.lanes.close(ctx)
}

// settle tries to store messages of one device until all are decided. It says no if the forwarder stops before: then what is behind
// them in their lane must not be stored either.
func (f *Forwarder) settle(batch []*Message) bool {
	pauses := backoff.New(firstPause, f.config.RetryDelay)
	for attempt := 1; ; attempt++ {
		batch = f.undecided(batch, f.store(batch), attempt)
		if len(batch) == 0 {
			return true
		}
		if !pauses.Wait(f.closing) {
			for _, m := range batch {
				m.Left()
			}
			return false
		}
	}
}

// undecided tells who waits for a message what became of it, and keeps those that have to be tried again. A message that was stored
// although an earlier one was not is stored once more, after that one, as the same event.
func (f *Forwarder) undecided(batch []*Message, results []outcome.Result, attempt int) (again []*Message) {
	for i, m := range batch {
		r := results[i]
		stored, waits := r.Outcome.Good(), len(again) > 0
		if r.Outcome.Final() || stored && !waits {
			m.Settled(r)
			continue
		}
		again = append(again, m)
		if stored {
			continue
		}
		f.retried(r.Outcome)
		f.log.Warn("a message cannot be stored now", zap.Stringer("outcome", r.Outcome), zap.String("device", m.Device),
			zap.Int("attempt", attempt), zap.Error(r.Err))
	}
	return again
}

// store makes one attempt. Kafka is given the messages in their order, without a wait for its answer in between.
func (f *Forwarder) store(batch []*Message) []outcome.Result {
	results := make([]outcome.Result, len(batch))
	from := f.identity.session(f.Stopping())
	if from == nil {
		return fill(results, outcome.Result{Outcome: outcome.Unauthenticated})
	}
	as, err := f.about(from, batch[0].Device)
	if err != nil {
		return fill(results, refusal(from, err))
	}
	var answers sync.WaitGroup
	answers.Add(len(batch))
	for i, m := range batch {
		f.enter()
		f.pipeline.Publish(context.Background(), from, as, m.Message, func(r outcome.Result) {
			results[i] = r
			f.leave()
			answers.Done()
		})
	}
	answers.Wait()
	return results
}

func fill(results []outcome.Result, r outcome.Result) []outcome.Result {
	for i := range results {
		results[i] = r
	}
	return results
}

// enter waits until one more message may be on its way.
func (f *Forwarder) enter() {
	if f.places != nil {
		f.places <- struct{}{}
	}
}

func (f *Forwarder) leave() {
	if f.places != nil {
		<-f.places
	}
}

// about finds the device that a message is about, if the gateway may speak for it; nil is the gateway.
func (f *Forwarder) about(from *auth.Session, device string) (*registry.Device, error) {
	if device == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.config.AuthTimeout)
	defer cancel()
	return f.devices.AuthorizeAs(ctx, from, device)
}

// As is the session of a device that the gateway may speak for, for what is not a message; "" is the gateway device itself. It waits
// until the gateway is admitted. Errors are those of auth.Authenticator.AuthorizeAs, or outcome.Unavailable when ctx ends or
// the forwarder stops before.
func (f *Forwarder) As(ctx context.Context, device string) (*auth.Session, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.closing, cancel)()
	from := f.identity.session(ctx.Done())
	if from == nil {
		return nil, outcome.New(outcome.Unavailable, "the gateway device is not admitted")
	}
	as, err := f.about(from, device)
	if err != nil || as == nil {
		return from, err
	}
	return &auth.Session{Application: from.Application, Device: as}, nil
}

// refusal is the result of an error about the device. If the gateway's own admission has been taken back meanwhile, the
// error says nothing about the device.
func refusal(from *auth.Session, err error) outcome.Result {
	r := outcome.ResultOf(err)
	if r.Outcome == outcome.Forbidden && revoked(from) {
		r.Outcome = outcome.Unauthenticated
	}
	return r
}

func revoked(s *auth.Session) bool {
	select {
	case <-s.Revoked:
		return true
	default:
		return false
	}
}
