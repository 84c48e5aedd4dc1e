package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/fairshare"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/stream"
)

// maxGroup is the size limit of a group's name in bytes. Kafka takes names of 249, and the application's is in front.
const maxGroup = 150

// maxGroupID is that of a group in Kafka.
const maxGroupID = 249

// A Query says which events somebody wants.
type Query struct {
	Application string
	Filter
	Group string       // "" is none
	From  stream.From  // where a new group begins, or who has none
	At    stream.Place // where who has no group goes on; nil is From
	Limit int          // how many events of one partition may be on their way at once
}

// A Take takes events: for one partition in their order and one after the other, for several partitions at once. It returns when the
// event is no longer needed, and settles it exactly once, before that or later: Done is for what has reached the consumer. Until then
// nothing behind it is committed. When ctx ends the event is settled at once.
type Take func(ctx context.Context, e *Event, s Settlement)

// A Settlement says what became of an event. Its methods may be called from any goroutine.
type Settlement interface {
	Done()
	Abandon() // it is to be read again
}

// A Feed opens subscriptions. It is safe for concurrent use.
type Feed struct {
	config  Config
	cluster *stream.Cluster
	log     *zap.Logger
	metrics *metrics
	events  sync.Pool

	consumers, readers fairshare.Pool // of the applications
}

// New makes a feed of a Kafka. The log may be nil.
func New(c Config, cluster *stream.Cluster, log *zap.Logger) *Feed {
	f := &Feed{config: c, cluster: cluster, log: refusal.Sampled(cmp.Or(log, zap.NewNop()))}
	f.events.New = func() any { return new(Event) }
	f.metrics = newMetrics(f.count)
	return f
}

func (f *Feed) count() (consumers, readers int64) {
	return int64(f.consumers.Len()), int64(f.readers.Len())
}

// ValidateGroup checks the name of a group: 1 to 150 bytes of UTF-8 without spaces and control characters.
func ValidateGroup(name string) error {
	switch {
	case name == "" || len(name) > maxGroup:
		return errors.New("the name of a group has 1 to 150 bytes")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("the name of a group has a space, a control character or bytes that are not UTF-8")
	}
	return nil
}

// groupID is the name of a group in Kafka. Who wants other events of the same application is in another group, since each would miss
// what Kafka gives to the others; so it is with shared subscriptions of MQTT, too. A dot in the group's own name is written as %2E, since names of applications have dots, too:
// no group of one application has the name of one of another.
func groupID(q *Query) string {
	escaped := strings.NewReplacer("%", "%25", ".", "%2E", "/", "%2F")
	name := q.Application + "." + escaped.Replace(q.Group)
	if q.Filter != (Filter{}) {
		name += "/" + escaped.Replace(q.Channel) + "/" + escaped.Replace(q.Device)
	}
	if len(name) <= maxGroupID {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return q.Application + "." + hex.EncodeToString(sum[:])
}

var errFull = outcome.New(outcome.Overloaded, "too much is consumed at once; try again later")

// enter makes room for a subscription.
func (f *Feed) enter(q *Query) error {
	if !f.consumers.Take(q.Application, 1, f.config.MaxConsumers) {
		return errFull
	}
	if q.ownReader() && !f.readers.Take(q.Application, 1, f.config.MaxReaders) {
		f.consumers.Return(q.Application, 1)
		return errFull
	}
	return nil
}

func (f *Feed) exit(q *Query) {
	f.consumers.Return(q.Application, 1)
	if q.ownReader() {
		f.readers.Return(q.Application, 1)
	}
}

// ownReader tells whether a query costs a fetch stream of its own.
func (q *Query) ownReader() bool { return q.Group == "" && (q.At != nil || !q.From.Latest()) }

func (q *Query) topic() string { return event.Topic(q.Application) }
