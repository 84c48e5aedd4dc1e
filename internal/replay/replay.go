package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

// groupPrefix begins the names under which positions are kept. A colon separates application and name, since neither has one.
const groupPrefix = "fairlead-replay:"

// A Replay says which events of an application to pass on, and where.
type Replay struct {
	Options
	From, Until Place  // Until: without one, the end of the topic as it is when the run begins
	Topic       string // where the events are; "" is the application's topic
	To          dispatch.Subscription
	Resume      string // name under which the position is kept until all is done; "" keeps none
	SkipFailed  bool   // goes on after an event that cannot be delivered
}

// A Stop is the error of a replay that ended before all was done.
type Stop struct {
	At  Place // where the rest begins
	Err error // why it ended
}

// Error is why it ended.
func (s *Stop) Error() string { return s.Err.Error() }

// Unwrap is why it ended.
func (s *Stop) Unwrap() error { return s.Err }

// Replay passes events on, each at least once. It ends with the context, or with the first event that cannot be delivered: the
// error is a *Stop then, and names where another run should begin. With Resume, that run needs only the same name: it ends where this
// one was to end.
func (c *Client) Replay(ctx context.Context, r Replay) (Tally, error) {
	if r.Topic == "" {
		r.Topic = event.Topic(r.Application)
	}
	work := &run{Options: r.Options, client: c, topic: r.Topic}
	if r.SkipFailed {
		work.failure = isDone
	}
	work.choose = func(record *kgo.Record) (*triggers.Event, *dispatch.Subscription, error) {
		decoded, err := dispatch.Decode(record)
		if err != nil {
			return nil, nil, errInvalid
		}
		return decoded, &r.To, nil
	}
	if err := c.begin(ctx, work, &r); err != nil {
		return Tally{}, err
	}
	tally, err := work.do(ctx)
	if err != nil {
		return tally, &Stop{At: work.ledger.places(), Err: err}
	}
	if work.position == nil || r.DryRun {
		return tally, nil
	}
	forgetting, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return tally, work.position.forget(forgetting)
}

// begin finds out what is to be read.
func (c *Client) begin(ctx context.Context, work *run, r *Replay) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var known map[int32]*position
	if r.Resume != "" {
		work.position = &groupPosition{admin: c.admin, group: groupPrefix + r.Application + ":" + r.Resume, topic: r.Topic}
		if known, err = work.position.load(ctx); err != nil {
			return err
		}
	}
	from, until := r.From, r.Until
	if len(known) > 0 {
		from, until = Place{Start: true}, Place{}
	} else if from.IsZero() {
		return errors.New("nothing says where to begin, and no position is kept")
	}
	work.spans, err = c.bounds(ctx, r.Topic, from, until)
	if errors.Is(err, ErrNoTopic) {
		return fmt.Errorf("the application %q has no topic %s in this Kafka", r.Application, r.Topic)
	}
	if err != nil {
		return err
	}
	if len(known) > 0 { // partitions that were added since have nothing that was meant
		for id := range work.spans {
			if known[id] == nil {
				delete(work.spans, id)
			}
		}
	}
	work.ledger = resume(work.spans, known)
	for id, s := range work.spans {
		work.ledger.at[id].end = s.To
	}
	return nil
}

// Unfinished tells whether a position is kept under a name.
func (c *Client) Unfinished(ctx context.Context, application, name string) (bool, error) {
	k := &groupPosition{admin: c.admin, group: groupPrefix + application + ":" + name, topic: event.Topic(application)}
	known, err := k.load(ctx)
	return len(known) > 0, err
}
