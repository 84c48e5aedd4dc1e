package integration

import (
	"bytes"
	"context"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/event"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Publish sends a command: to command/APPLICATION/DEVICE/COMMAND. PUBACK says what became of it; in version 5 it tells when nobody
// listened. Where the message has a response topic, the device's answer goes there.
func (s *client) Publish(p *packet.Publish, done func(protocol.Answer)) {
	c, ok := commandOf(p)
	if !ok {
		s.refuse(p, outcome.Result{Outcome: outcome.Invalid, Reason: "only commands are published, to command/APPLICATION/DEVICE/COMMAND"}, done)
		return
	}
	where := &packet.Publish{Topic: strings.Clone(p.Topic), QoS: p.QoS}
	acknowledge := func(reached int, err error) {
		switch {
		case err != nil:
			s.refuse(where, outcome.ResultOf(err), done)
		case reached == 0:
			done(protocol.Answer{Reason: packet.NoMatchingSubscribers})
		default:
			done(protocol.Answer{Reason: packet.Success})
		}
	}
	if p.ResponseTopic != "" {
		q := questionOf(p, c)
		go s.ask(q, acknowledge)
		return
	}
	go func() { // a client has no more of them than the receive maximum
		sent, err := s.gateway.sendCommand(context.Background(), s.user, c)
		acknowledge(sent.reached, err)
	}()
}

// commandOf reads the command of a message, into memory of its own.
func commandOf(p *packet.Publish) (c command, ok bool) {
	parts := strings.Split(p.Topic, "/")
	if len(parts) != 4 || !strings.EqualFold(parts[0], "command") || event.ValidateContentType(p.ContentType) != nil {
		return c, false
	}
	for i, into := range []*string{&c.application, &c.device, &c.name} {
		part, err := url.PathUnescape(parts[1+i])
		if err != nil {
			return c, false
		}
		*into = strings.Clone(part)
	}
	c.contentType, c.payload = strings.Clone(p.ContentType), bytes.Clone(p.Payload)
	return c, true
}

// refuse answers a message that is not taken, and reports it.
func (s *client) refuse(p *packet.Publish, r outcome.Result, done func(protocol.Answer)) {
	a := protocol.Answer{Reason: packet.Reason(r.Outcome.MQTT5()), Text: r.Reason, Final: r.Outcome.Final()}
	s.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "PUBLISH " + p.Topic, Remote: s.conn.Remote(), Outcome: r.Outcome,
		Answer: s.gateway.config.Connection.PublishText(s.conn.Version(), p.QoS, a), Reason: refusal.Explain(r),
	})
	done(a)
}
