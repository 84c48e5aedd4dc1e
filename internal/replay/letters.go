package replay

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

// lettersGroup begins the names of the positions of redelivered dead letters.
const lettersGroup = "fairlead-dead-letters:"

// batch is how many letters are put in the order of time.
const batch = 1000

// A Letter is an event that a Trigger gave up.
type Letter struct {
	Time        time.Time `json:"time"` // when it was given up
	ID          string    `json:"id"`
	Source      string    `json:"source,omitempty"`
	Type        string    `json:"type,omitempty"`
	Subject     string    `json:"subject,omitempty"`
	Device      string    `json:"device,omitempty"`
	Subscriber  string    `json:"subscriber,omitempty"` // URL of the subscriber that did not take it
	Code        string    `json:"code,omitempty"`       // status of its last answer; "" if there was none
	Reason      string    `json:"reason,omitempty"`     // begin of the body of that answer
	Partition   int32     `json:"partition"`
	Offset      int64     `json:"offset"`
	Redelivered bool      `json:"redelivered,omitempty"`
}

// A Selection chooses among dead letters. The zero value takes all that were not redelivered.
type Selection struct {
	IDs         []string  // ids of events; none for any
	Codes       []string  // statuses, "none" for no answer; none for any
	Subscriber  string    // part of the subscriber's URL
	Device      string    // name
	Since       time.Time // given up at that time or later
	Redelivered bool      // also those that were redelivered
}

// NoCode is the status of a subscriber that did not answer, in a Selection.
const NoCode = "none"

func (s *Selection) matches(l *Letter) bool {
	return (len(s.IDs) == 0 || slices.Contains(s.IDs, l.ID)) &&
		(len(s.Codes) == 0 || slices.Contains(s.Codes, cmp.Or(l.Code, NoCode))) &&
		strings.Contains(l.Subscriber, s.Subscriber) &&
		(s.Device == "" || s.Device == l.Device) &&
		!l.Time.Before(s.Since)
}

// IsZero tells whether all are meant.
func (s *Selection) IsZero() bool {
	return len(s.IDs) == 0 && len(s.Codes) == 0 && s.Subscriber == "" && s.Device == "" && s.Since.IsZero()
}

// letterOf is what the record of a dead letter says.
func letterOf(record *kgo.Record, e *triggers.Event) Letter {
	text := func(name string) string {
		value, _ := e.Text(name)
		return value
	}
	return Letter{
		Time: record.Timestamp, ID: e.ID(), Source: text("source"), Type: e.Type(), Subject: text("subject"), Device: text("device"),
		Subscriber: text(dispatch.ExtensionErrorDest), Code: text(dispatch.ExtensionErrorCode), Reason: reason(text(dispatch.ExtensionErrorData)),
		Partition: record.Partition, Offset: record.Offset,
	}
}

// reason is the body of an answer, as text.
func reason(data string) string {
	body, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return data // some dispatchers write it as it is
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(body), "·"))
}

// Letters calls each for the selected dead letters of an application, in the order of time within every thousand. Records that are
// no events are counted. An error of each ends the list.
func (c *Client) Letters(ctx context.Context, application string, s Selection, each func(Letter) error) (invalid int, err error) {
	work, err := c.letters(ctx, application, s.Redelivered)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	list := &letterList{selection: &s, ledger: work.ledger, each: each}
	err = c.cluster.ReadSpans(ctx, stream.SpanOptions{
		Topic: work.topic, Spans: work.spans, Handler: func(_ context.Context, d *stream.Delivery) {
			if err := list.add(d.Record); err != nil {
				stop(err)
			}
			d.Done()
		},
	})
	if err != nil {
		return list.invalid, err
	}
	return list.invalid, list.flush()
}

// A letterList puts letters into the order of time, as far as there is room. Its add is safe for concurrent use.
type letterList struct {
	selection *Selection
	ledger    *ledger
	each      func(Letter) error

	mu      sync.Mutex
	waiting []Letter
	invalid int
	failed  error // of each
}

func (l *letterList) add(record *kgo.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	redelivered := l.ledger.take(record.Partition, record.Offset)
	decoded, err := dispatch.Decode(record)
	if err != nil {
		l.invalid++
		return nil
	}
	letter := letterOf(record, decoded)
	letter.Redelivered = redelivered
	if !l.selection.matches(&letter) || redelivered && !l.selection.Redelivered {
		return nil
	}
	if l.waiting = append(l.waiting, letter); len(l.waiting) < batch {
		return nil
	}
	return l.flush()
}

func (l *letterList) flush() error {
	slices.SortStableFunc(l.waiting, func(a, b Letter) int { return a.Time.Compare(b.Time) })
	for _, letter := range l.waiting {
		if l.failed = l.each(letter); l.failed != nil {
			return l.failed
		}
	}
	l.waiting = l.waiting[:0]
	return nil
}

// A Redelivery says which dead letters of an application to deliver again. What fails once more stays a dead letter.
type Redelivery struct {
	Options
	Selection                        // of those that were not redelivered
	To        *dispatch.Subscription // where they go; nil is the subscriber that each of them names
	Policy    triggers.Policy        // of attempts, where To is nil
}

// Redeliver delivers dead letters again, each at least once, without what was added to them when they were given up. Those that
// are delivered are no longer listed. The error is the cause of an end before all were tried.
func (c *Client) Redeliver(ctx context.Context, r Redelivery) (Tally, error) {
	work, err := c.letters(ctx, r.Application, false)
	if err != nil {
		return Tally{}, err
	}
	work.Options, work.failure, work.choose = r.Options, isLeft, r.choose
	return work.do(ctx)
}

// choose makes the event of a dead letter, and says where it goes.
func (r *Redelivery) choose(record *kgo.Record) (*triggers.Event, *dispatch.Subscription, error) {
	decoded, err := dispatch.Decode(record)
	if err != nil {
		if r.IsZero() {
			return nil, nil, errInvalid
		}
		return nil, nil, nil
	}
	letter := letterOf(record, decoded)
	if !r.matches(&letter) {
		return nil, nil, nil
	}
	to := r.To
	if to == nil {
		to = &dispatch.Subscription{Name: "redelivery", Application: r.Application, Subscriber: letter.Subscriber, Policy: r.Policy}
		if u, err := url.Parse(letter.Subscriber); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return decoded, nil, errNoSubscriber
		}
	}
	original, err := withoutError(record)
	return original, to, err
}

var errNoSubscriber = errors.New("the dead letter names no subscriber: say where it is to go")

// withoutError is the event of a dead letter as its Trigger had it.
func withoutError(record *kgo.Record) (*triggers.Event, error) {
	m, err := stream.Decode(record)
	if err != nil {
		return nil, err
	}
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a stream.Attribute) bool {
		return slices.Contains([]string{dispatch.ExtensionErrorDest, dispatch.ExtensionErrorCode, dispatch.ExtensionErrorData}, a.Name)
	})
	return dispatch.EventOf(m)
}

// letters prepares to read the dead letters of an application: all, or those that were not redelivered.
func (c *Client) letters(ctx context.Context, application string, all bool) (*run, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	topic := event.DeadLetterTopic(application)
	work := &run{client: c, topic: topic, position: &groupPosition{admin: c.admin, group: lettersGroup + application, topic: topic}}
	var err error
	work.spans, err = c.bounds(ctx, topic, Place{}, Place{})
	if errors.Is(err, ErrNoTopic) {
		work.position, work.ledger = nil, &ledger{}
		return work, nil // nothing was ever given up
	}
	if err != nil {
		return nil, err
	}
	known, err := work.position.load(ctx)
	if err != nil {
		return nil, err
	}
	whole := maps.Clone(work.spans)
	work.ledger = resume(work.spans, known)
	if all {
		work.spans = whole
	}
	return work, nil
}
