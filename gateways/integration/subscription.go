package integration

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/stream"
)

// User properties of SUBSCRIBE.
const (
	contentMode = "content-mode" // structured, the default, or binary
	beginFrom   = "from"         // see stream.ParseFrom
)

const (
	// confirmedLimit is how many events of one partition may be without their PUBACK, and looseLimit how many of QoS 0 may be on their
	// way to the connection.
	confirmedLimit = 1024
	looseLimit     = 64
)

// terms are what a client may change of a subscription that it has.
type terms struct {
	qos    byte
	binary bool
	id     uint32 // subscription identifier; 0 is none
}

// A subscription is a filter of a client with the events that match it.
type subscription struct {
	client *client
	filter topicFilter
	terms  atomic.Pointer[terms]
	feed   *feed.Subscription
	ended  atomic.Bool
}

// Subscribe begins a subscription to the events of an application.
func (s *client) Subscribe(wanted packet.Subscription, id uint32, properties packet.UserProperties) packet.Reason {
	reason, err := s.subscribe(wanted, id, properties)
	if reason.Refuses() {
		s.reportSubscription(wanted.Filter, reason, err)
	}
	return reason
}

func (s *client) subscribe(wanted packet.Subscription, id uint32, properties packet.UserProperties) (packet.Reason, error) {
	full := len(s.subscriptions)+s.responses.len() >= s.gateway.config.MaxSubscriptions
	if isResponseFilter(wanted.Filter) {
		return s.subscribeToResponses(wanted, id, full), nil
	}
	f, reason := parseFilter(wanted.Filter)
	if reason.Refuses() {
		return reason, nil
	}
	from, binary, ok := options(properties)
	if !ok {
		return packet.ImplementationSpecificError, nil
	}
	agreed := &terms{qos: min(wanted.QoS, 1), binary: binary && s.conn.Version() == packet.V5, id: id}
	if existing, ok := s.subscriptions[wanted.Filter]; ok {
		existing.terms.Store(agreed)
		return packet.Reason(agreed.qos), nil
	}
	if full {
		return packet.QuotaExceeded, nil
	}
	added := &subscription{client: s, filter: f.clone()}
	added.terms.Store(agreed)
	if err := added.open(from); err != nil {
		return subackOf(err), err
	}
	s.subscriptions[strings.Clone(wanted.Filter)] = added
	return packet.Reason(agreed.qos), nil
}

// options reads the user properties of a SUBSCRIBE.
func options(properties packet.UserProperties) (from stream.From, binary, ok bool) {
	for name, value := range properties.All() {
		switch name {
		case contentMode:
			if value != "structured" && value != "binary" {
				return from, false, false
			}
			binary = value == "binary"
		case beginFrom:
			var err error
			if from, err = stream.ParseFrom(value); err != nil {
				return from, false, false
			}
		}
	}
	return from, binary, true
}

// subackOf is what a client is told that may not subscribe, or cannot now.
func subackOf(err error) packet.Reason {
	switch outcome.Of(err) {
	case outcome.Forbidden:
		return packet.NotAuthorized
	case outcome.Overloaded:
		return packet.QuotaExceeded
	case outcome.Invalid:
		return packet.TopicFilterInvalid
	default:
		return packet.UnspecifiedError
	}
}

// clone is a filter that does not lie in the packet.
func (f topicFilter) clone() topicFilter {
	f.group, f.base, f.application = strings.Clone(f.group), strings.Clone(f.base), strings.Clone(f.application)
	f.Channel, f.Device = strings.Clone(f.Channel), strings.Clone(f.Device)
	return f
}

// Unsubscribe ends the subscription with exactly that filter. What is on its way may still be acknowledged.
func (s *client) Unsubscribe(filter string) packet.Reason {
	ended, ok := s.subscriptions[filter]
	if s.responses.unsubscribe(filter) {
		return packet.Success
	}
	if !ok {
		return packet.NoSubscriptionExisted
	}
	delete(s.subscriptions, filter)
	ended.ended.Store(true)
	s.closing.Go(ended.close)
	return packet.Success
}

// open admits the client to the application and begins. Who shares nothing is in a group that has the client's identifier, and who
// has none of these is in no group.
func (s *subscription) open(from stream.From) error {
	g := s.client.gateway
	ctx, cancel := context.WithTimeout(context.Background(), g.config.AuthTimeout)
	defer cancel()
	if err := s.client.user.Read(ctx, s.filter.application); err != nil {
		return err
	}
	q := feed.Query{Application: s.filter.application, Filter: s.filter.Filter, Group: s.filter.group, From: from, Limit: looseLimit}
	if !s.filter.shared {
		q.Group = s.client.id
	}
	if s.terms.Load().qos > 0 {
		q.Limit = confirmedLimit
	}
	err := error(nil)
	if q.Group != "" && feed.ValidateGroup(q.Group) != nil {
		err = outcome.New(outcome.Invalid, "the client identifier cannot name a group; use a shared subscription")
	}
	if err == nil {
		s.feed, err = g.Feed.Open(context.Background(), q, s.take)
	}
	if err != nil {
		s.client.user.Leave(s.filter.application)
	}
	return err
}

func (s *subscription) close() {
	s.ended.Store(true)
	s.feed.Close()
	s.client.user.Leave(s.filter.application)
}

// A scratch is what an event is written into before the connection copies it.
type scratch struct {
	topic, payload []byte
	properties     packet.UserProperties
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// take sends an event. With QoS 1 it is settled by the client's PUBACK, else when it is about to be written.
func (s *subscription) take(ctx context.Context, e *feed.Event, settle feed.Settlement) {
	if s.ended.Load() {
		settle.Abandon()
		return
	}
	w := scratches.Get().(*scratch)
	defer scratches.Put(w)
	p, agreed := packet.Publish{}, s.terms.Load()
	w.write(&p, e, s.filter, agreed, s.client.conn.Version())
	ids := [1]uint32{agreed.id}
	if agreed.id != 0 {
		p.SubscriptionIDs = ids[:]
	}
	err := s.client.conn.Send(ctx, &p, func(err error) {
		if err != nil {
			settle.Abandon()
			return
		}
		settle.Done()
	})
	if err != nil {
		settle.Abandon()
	}
}
