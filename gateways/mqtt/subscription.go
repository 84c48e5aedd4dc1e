package mqtt

import (
	"context"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/refusal"
)

// maxTopic is the longest topic in bytes (section 1.5.4).
const maxTopic = 65535

// A subscription is an interest of a session in commands. Those that overlap deliver a command once each.
type subscription struct {
	session  *session
	filter   filter
	id       atomic.Uint32 // subscription identifier; 0 is none
	listener *command.Listener
}

// Subscribe begins a subscription of commands, and nothing else: there is no other message that a device receives. The
// granted QoS is always 0.
func (s *session) Subscribe(wanted packet.Subscription, id uint32, _ packet.UserProperties) packet.Reason {
	reason := s.subscribe(wanted, id)
	if reason.Refuses() {
		s.reportSubscription(wanted.Filter, reason)
	}
	return reason
}

func (s *session) subscribe(wanted packet.Subscription, id uint32) packet.Reason {
	f, ok := parseFilter(wanted.Filter)
	if !ok {
		return packet.TopicFilterInvalid
	}
	if existing, ok := s.subscriptions[wanted.Filter]; ok {
		existing.id.Store(id)
		return packet.Success
	}
	if len(s.subscriptions) >= s.gateway.config.MaxSubscriptions {
		return packet.QuotaExceeded
	}
	f.device = strings.Clone(f.device)
	added := &subscription{session: s, filter: f}
	added.id.Store(id)
	if !added.open() {
		return packet.UnspecifiedError
	}
	if s.subscriptions == nil {
		s.subscriptions = map[string]*subscription{}
	}
	s.subscriptions[strings.Clone(wanted.Filter)] = added
	return packet.Success
}

// Unsubscribe ends the subscription with exactly that filter.
func (s *session) Unsubscribe(filter string) packet.Reason {
	ended, ok := s.subscriptions[filter]
	if !ok {
		return packet.NoSubscriptionExisted
	}
	delete(s.subscriptions, filter)
	ended.close()
	return packet.Success
}

func (s *subscription) open() bool {
	admitted := s.session.admission.Load()
	ctx, cancel := context.WithTimeout(context.Background(), s.session.gateway.config.AuthTimeout)
	defer cancel()
	listener, err := s.session.gateway.commands.Listen(ctx, command.Filter{
		Application: admitted.Application.Metadata.Name,
		Gateway:     admitted.Device.Metadata.Name,
		Scope:       s.filter.scope,
		Device:      s.filter.device,
		Protocol:    refusal.MQTT,
	}, s.deliver)
	if err != nil {
		return false
	}
	s.listener = listener
	s.session.gateway.subscriptions.Add(1)
	return true
}

func (s *subscription) close() {
	s.listener.Close()
	s.session.gateway.subscriptions.Add(-1)
}

// deliver sends a command to the client, unless no topic can hold its name or the connection does not take it. It does not block: the connection drops the oldest of what
// it cannot send.
func (s *subscription) deliver(c command.Command) (taken bool) {
	topic := s.filter.topic(&c)
	if !deliverable(topic) {
		s.session.gateway.metrics.undelivered()
		return false
	}
	p := &packet.Publish{Topic: topic, Payload: c.Payload, ContentType: c.ContentType}
	if c.Respond {
		p.ResponseTopic, p.CorrelationData = responseTopic(s.session.dialect, &c), []byte(c.Correlation)
		s.session.awaited.add(&c)
	}
	if id := s.id.Load(); id != 0 {
		p.SubscriptionIDs = []uint32{id}
	}
	return s.session.client.Deliver(p)
}

// deliverable tells whether a topic can be one: device and command may have names that no topic can hold.
func deliverable(topic string) bool {
	return len(topic) <= maxTopic && utf8.ValidString(topic) && !strings.ContainsAny(topic, "+#\x00")
}
