package dispatch

import (
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

// A Result is what became of one record for one subscription.
type Result string

// The results.
const (
	Delivered    Result = "delivered"
	DeadLettered Result = "dead_lettered"
	Lost         Result = "lost"     // finally failed, and no dead letter sink took it
	Filtered     Result = "filtered" // the filter did not let it through
	Invalid      Result = "invalid"  // the record is not a CloudEvent
)

// A Report tells about one record that is done with.
type Report struct {
	Subscription string
	Application  string
	Event        *cloudevents.Event // for people, without what the Go SDK cannot hold; nil for Invalid
	Result       Result
	Attempts     int           // at the subscriber
	Status       int           // last HTTP status of the subscriber; 0 if it did not answer, or its answer could not be used
	Elapsed      time.Duration // from the record's turn until its end, with all attempts
	Err          error         // of the last attempt at each side, or why the event was thrown away; without any payload

	event *triggers.Event
}

// A Status is a snapshot of one subscription. Counts begin with the process.
type Status struct {
	Subscription string       `json:"trigger"`
	Application  string       `json:"application"`
	Topic        string       `json:"topic"`
	Group        string       `json:"group"`
	State        stream.State `json:"state"`
	Reason       string       `json:"reason,omitempty"`
	Delivered    uint64       `json:"delivered"`
	Filtered     uint64       `json:"filtered"`
	Invalid      uint64       `json:"invalid"`
	Retried      uint64       `json:"retried"` // attempts beyond the first
	DeadLettered uint64       `json:"deadLettered"`
	Lost         uint64       `json:"lost"`
	Replies      uint64       `json:"replies"` // put into the topic
	Loops        uint64       `json:"loops"`   // replies that were dropped because of MaxHops
	Lag          int64        `json:"lag"`     // records between what is committed and the end of the topic, as of the last fetch
}

// counts are the numbers behind a Status.
type counts struct {
	delivered, filtered, invalid, retried, deadLettered, lost, replies, loops atomic.Uint64
}

func (c *counts) add(result Result) {
	switch result {
	case Delivered:
		c.delivered.Add(1)
	case DeadLettered:
		c.deadLettered.Add(1)
	case Lost:
		c.lost.Add(1)
	case Filtered:
		c.filtered.Add(1)
	case Invalid:
		c.invalid.Add(1)
	}
}

func (c *counts) fill(s *Status) {
	s.Delivered, s.Filtered, s.Invalid = c.delivered.Load(), c.filtered.Load(), c.invalid.Load()
	s.Retried, s.DeadLettered, s.Lost = c.retried.Load(), c.deadLettered.Load(), c.lost.Load()
	s.Replies, s.Loops = c.replies.Load(), c.loops.Load()
}
