package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

const (
	askTimeout   = 30 * time.Second       // of what is asked before anything is delivered
	saveInterval = 500 * time.Millisecond // between writes of what is done
	tellInterval = 100 * time.Millisecond // between calls of Progress
)

// A Client reads the topics of applications. It is safe for concurrent use.
type Client struct {
	cluster   *stream.Cluster
	kafka     *kgo.Client
	admin     *kadm.Client
	deliverer *dispatch.Deliverer
}

// Connect makes a Client. Nothing is asked of Kafka yet.
func Connect(config kafka.Config) (*Client, error) {
	deliverer, err := dispatch.NewDeliverer()
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewClient(config)
	if err != nil {
		return nil, err
	}
	cluster, err := stream.Connect(config)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Client{cluster: cluster, kafka: client, admin: kadm.NewClient(client), deliverer: deliverer}, nil
}

// Close disconnects.
func (c *Client) Close() {
	c.deliverer.Close()
	c.cluster.Close()
	c.kafka.Close()
}

// A Tally is how many records a run has passed on, and what became of them.
type Tally struct {
	Total     int64 // offsets to go through, as known at the beginning
	Left      int64 // of those, the ones to go
	Delivered int64 // with DryRun: would be delivered
	Filtered  int64 // not let through by the filter of the Trigger
	Invalid   int64 // records that are no CloudEvents
	Dead      int64 // went to the dead letter sink of the Trigger
	Failed    int64 // could not be delivered
}

// Options are what both jobs have in common.
type Options struct {
	Application string
	Parallel    int                 // how many events of one partition may be on their way at once; more than 1 gives up their order
	Rate        float64             // events in a second; 0 is as fast as the subscriber answers
	DryRun      bool                // reads and counts, but delivers nothing and keeps no position
	Progress    func(Tally)         // called about ten times a second, and in the end; nil for none
	Problem     func(string, error) // called for each event that cannot be delivered, with its id, and for a position that cannot be kept ("" then); from several goroutines; nil for none
}

// A run goes through spans of a topic.
type run struct {
	Options
	client   *Client
	topic    string
	spans    map[int32]stream.Span
	ledger   *ledger
	position *groupPosition // nil: nothing is kept
	limit    *rate.Limiter
	// choose makes the event of a record and says where it goes; nil is nowhere, and leaves it undone. errInvalid is for what is
	// no event.
	choose  func(*kgo.Record) (*triggers.Event, *dispatch.Subscription, error)
	failure failure

	total     int64
	delivered atomic.Int64
	filtered  atomic.Int64
	invalid   atomic.Int64
	dead      atomic.Int64
	failed    atomic.Int64
	saving    atomic.Bool // the last write of the position failed
	stop      context.CancelCauseFunc
}

// A failure is what becomes of an event that cannot be delivered.
type failure int

const (
	endsRun failure = iota // it is the first one of the next run
	isLeft                 // it stays undone
	isDone
)

// A fate is what became of a record.
type fate int

const (
	done      fate = iota
	left           // undone, and the run goes on
	abandoned      // undone, since the run ends
)

var errInvalid = errors.New("not a CloudEvent")

// do goes through all spans. The error is the cause of an end before that.
func (r *run) do(ctx context.Context) (Tally, error) {
	r.limit = rate.NewLimiter(rate.Inf, 1)
	if r.Rate > 0 {
		r.limit.SetLimit(rate.Limit(r.Rate))
	}
	r.total = r.ledger.left(r.spans)
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	ending := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { r.tell(ctx, ending) })
	err := r.client.cluster.ReadSpans(ctx, stream.SpanOptions{
		Topic: r.topic, Spans: r.spans, Limit: r.Parallel,
		Handler: func(deliveries context.Context, d *stream.Delivery) { r.take(ctx, deliveries, d) },
	})
	close(ending)
	beside.Wait()
	return r.tally(), errors.Join(err, r.save(ctx))
}

// take begins with one record. The context of the run ends before that of deliveries does.
func (r *run) take(ctx, deliveries context.Context, d *stream.Delivery) {
	switch before := r.ledger.take(d.Record.Partition, d.Record.Offset); {
	case before:
		d.Done()
	case r.Parallel > 1:
		go func() { r.settle(d, r.pass(ctx, deliveries, d)) }()
	default:
		r.settle(d, r.pass(ctx, deliveries, d))
	}
}

func (r *run) settle(d *stream.Delivery, f fate) {
	switch f {
	case abandoned:
		d.Abandon()
		return
	case done:
		r.ledger.finish(d.Record.Partition, d.Record.Offset)
	}
	d.Done()
}

// pass passes one record on.
func (r *run) pass(ctx, deliveries context.Context, d *stream.Delivery) fate {
	if ctx.Err() != nil {
		return abandoned
	}
	event, to, err := r.choose(d.Record)
	switch {
	case errors.Is(err, errInvalid):
		r.invalid.Add(1)
		return done
	case err != nil:
		return r.fail(event, err)
	case to == nil:
		return left
	case r.DryRun:
		return r.pretend(event, to)
	}
	if r.limit.Wait(ctx) != nil {
		return abandoned
	}
	report, err := r.client.deliverer.Deliver(deliveries, to, event, d.Stopping())
	if err != nil {
		return abandoned
	}
	return r.count(event, report)
}

// pretend counts what would be delivered.
func (r *run) pretend(event *triggers.Event, to *dispatch.Subscription) fate {
	if to.Filter != nil {
		if ok, _ := to.Filter.Select(event); !ok {
			r.filtered.Add(1)
			return done
		}
	}
	r.delivered.Add(1)
	return done
}

func (r *run) count(event *triggers.Event, report dispatch.Report) fate {
	switch report.Result {
	case dispatch.Delivered:
		r.delivered.Add(1)
	case dispatch.Filtered:
		r.filtered.Add(1)
	case dispatch.DeadLettered:
		r.dead.Add(1)
	default:
		return r.fail(event, report.Err)
	}
	return done
}

// fail is for an event that cannot be delivered.
func (r *run) fail(event *triggers.Event, err error) fate {
	r.failed.Add(1)
	r.problem(event.ID(), err)
	switch r.failure {
	case isDone:
		return done
	case isLeft:
		return left
	default:
		r.stop(fmt.Errorf("event %q could not be delivered: %w", event.ID(), err))
		return abandoned
	}
}

// tell tells how it goes and keeps what is done, until the end.
func (r *run) tell(ctx context.Context, ending <-chan struct{}) {
	ticker := time.NewTicker(tellInterval)
	defer ticker.Stop()
	saved := time.Now()
	for {
		select {
		case <-ending:
			return
		case now := <-ticker.C:
			if r.Progress != nil {
				r.Progress(r.tally())
			}
			if now.Sub(saved) >= saveInterval {
				saved = now
				r.saveOrSay(ctx)
			}
		}
	}
}

// saveOrSay says once that the position cannot be kept.
func (r *run) saveOrSay(ctx context.Context) {
	err := r.save(ctx)
	if failing := r.saving.Swap(err != nil); err != nil && !failing {
		r.problem("", err)
	}
}

func (r *run) save(ctx context.Context) error {
	if r.position == nil || r.DryRun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return r.position.save(ctx, r.ledger)
}

func (r *run) tally() Tally {
	return Tally{
		Total: r.total, Left: r.ledger.left(r.spans), Delivered: r.delivered.Load(), Filtered: r.filtered.Load(),
		Invalid: r.invalid.Load(), Dead: r.dead.Load(), Failed: r.failed.Load(),
	}
}

func (r *run) problem(id string, err error) {
	if r.Problem != nil {
		r.Problem(id, err)
	}
}
