package integration

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	commanding "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	responseLevel = "response/" // begins the topics to which answers go
	maxQuestions  = 32          // commands of one client whose answers are awaited

	// How long an answer is awaited: usually, and at most where the message's expiry interval says how long.
	usualWait   = 30 * time.Second
	longestWait = 60 * time.Second
)

// responses are what a client of version 5 subscribes to for the answers to its own commands, and how many it waits for. They are safe for
// concurrent use.
type responses struct {
	mu      sync.Mutex
	filters map[string]terms
	waiting int
}

// isResponseFilter tells whether a filter is for answers to commands: response/NAME, or with # as its last level.
func isResponseFilter(filter string) bool { return strings.HasPrefix(filter, responseLevel) }

// subscribe notes a filter. Other wildcards than # at the end are not supported.
func (r *responses) subscribe(filter string, agreed terms) packet.Reason {
	if topic := strings.TrimSuffix(filter, "/#"); topic == responseLevel || strings.ContainsAny(topic, "+#") {
		return invalidOr(filter)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.filters == nil {
		r.filters = map[string]terms{}
	}
	r.filters[strings.Clone(filter)] = agreed
	return packet.Reason(agreed.qos)
}

// unsubscribe tells whether there was such a filter.
func (r *responses) unsubscribe(filter string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.filters[filter]
	delete(r.filters, filter)
	return ok
}

func (r *responses) has(filter string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.filters[filter]
	return ok
}

func (r *responses) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.filters)
}

// find is the subscription to a topic, if there is one.
func (r *responses) find(topic string) (agreed terms, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for filter, of := range r.filters {
		above, all := strings.CutSuffix(filter, "/#")
		if filter == topic || all && (topic == above || strings.HasPrefix(topic, above+"/")) {
			return of, true
		}
	}
	return terms{}, false
}

// enter takes one of the places for questions.
func (r *responses) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == maxQuestions {
		return false
	}
	r.waiting++
	return true
}

func (r *responses) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
}

// A question is a command whose answer goes to the response topic that its client has named.
type question struct {
	command
	topic       string
	correlation []byte // of the client
	wait        time.Duration
}

// questionOf reads the properties of a command, into memory of their own.
func questionOf(p *packet.Publish, c command) question {
	q := question{command: c, topic: strings.Clone(p.ResponseTopic), correlation: bytes.Clone(p.CorrelationData), wait: usualWait}
	if p.HasMessageExpiry {
		q.wait = min(time.Duration(p.MessageExpiry)*time.Second, longestWait)
	}
	return q
}

// ask sends a command, and the answer of the device to the client when it comes in time. acknowledge is told what became of the command.
func (s *client) ask(q question, acknowledge func(reached int, err error)) {
	switch _, ok := s.responses.find(q.topic); {
	case !ok:
		acknowledge(0, invalid("the client has not subscribed to the response topic, which begins with "+responseLevel))
		return
	case s.gateway.Router == nil:
		acknowledge(0, outcome.New(outcome.Unavailable, "this server takes no answers to commands"))
		return
	case !s.responses.enter():
		acknowledge(0, outcome.New(outcome.Overloaded, "too many answers are awaited"))
		return
	}
	defer s.responses.leave()
	expected, err := s.gateway.Router.ExpectFrom(s.life, q.application)
	if err != nil {
		acknowledge(0, err)
		return
	}
	defer expected.Close()
	q.command.correlation = expected.Correlation
	sent, err := s.gateway.sendCommand(s.life, s.user, q.command)
	acknowledge(sent.reached, err)
	if err != nil || sent.device == "" {
		return
	}
	ctx, cancel := context.WithTimeout(s.life, q.wait)
	defer cancel()
	if answer, ok := expected.Wait(ctx, sent.device); ok {
		s.respond(&q, &answer)
	}
}

// respond sends an answer to the client, as long as it is subscribed.
func (s *client) respond(q *question, a *commanding.Answer) {
	agreed, ok := s.responses.find(q.topic)
	if !ok {
		return
	}
	p := packet.Publish{Topic: q.topic, QoS: agreed.qos, ContentType: a.ContentType, CorrelationData: q.correlation, Payload: a.Payload}
	if agreed.id != 0 {
		p.SubscriptionIDs = []uint32{agreed.id}
	}
	_ = s.conn.Send(s.life, &p, func(error) {}) // who has left gets no answer
}

// subscribeToResponses has answers to the client's commands sent to it. full says that there are as many subscriptions as may be.
func (s *client) subscribeToResponses(wanted packet.Subscription, id uint32, full bool) packet.Reason {
	if s.conn.Version() != packet.V5 { // which alone can name a response topic
		return packet.TopicFilterInvalid
	}
	if full && !s.responses.has(wanted.Filter) {
		return packet.QuotaExceeded
	}
	return s.responses.subscribe(wanted.Filter, terms{qos: min(wanted.QoS, 1), id: id})
}
