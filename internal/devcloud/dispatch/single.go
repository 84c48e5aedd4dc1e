package dispatch

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/triggers"
)

// A Deliverer delivers single events for those who read them otherwise than a Dispatcher does: in the same way, but without looking
// at what subscribers answer beyond the status, so that nothing is put into a topic. It is safe for concurrent use.
type Deliverer struct {
	sender  *sender
	metrics *metrics
}

// NewDeliverer makes a Deliverer.
func NewDeliverer() (*Deliverer, error) {
	metrics, err := newMetrics()
	if err != nil {
		return nil, err
	}
	return &Deliverer{newSender(), metrics}, nil
}

// Close ends idle connections.
func (d *Deliverer) Close() { d.sender.close() }

// Deliver delivers one event to a subscription, which needs no group and no topic: the filter is applied, and a failure is tried
// again and goes to the dead letter sink in the end, as the policy says. When ctx ends or stopping is closed, it gives up with
// ErrInterrupted; a request on its way ends with ctx only.
func (d *Deliverer) Deliver(ctx context.Context, s *Subscription, event *triggers.Event, stopping <-chan struct{}) (Report, error) {
	begin := time.Now()
	report := Report{Subscription: s.Name, Application: s.Application, event: event}
	if s.Filter != nil {
		if ok, err := s.Filter.Select(event); !ok {
			report.Result, report.Err = Filtered, err
			return report, nil
		}
	}
	ignored := func(string, error, int) {}
	way := delivery{
		subscription: s, sender: d.sender, metrics: d.metrics, counts: &counts{}, stopping: stopping,
		failing: ignored, working: func(string) {},
	}
	err := way.deliver(ctx, &report, event)
	report.Elapsed = time.Since(begin)
	return report, err
}
