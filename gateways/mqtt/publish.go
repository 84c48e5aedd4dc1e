package mqtt

import (
	"context"
	"strings"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/mqtt/properties"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// Publish hands a message to the pipeline. done is called after Kafka's acknowledgement. It blocks while the messages of
// all clients that wait for Kafka are too many. Of the packet's properties the content type counts, and user properties
// that can be extensions.
func (s *session) Publish(p *packet.Publish, done func(protocol.Answer)) {
	g, from := s.gateway, s.admission.Load()
	to, err := destinationOf(s.dialect, p.Topic)
	if err != nil {
		s.refuse(err, done)
		return
	}
	if err := event.ValidateContentType(p.ContentType); err != nil {
		g.metrics.refused(outcome.Invalid)
		done(protocol.Answer{Reason: packet.UnspecifiedError, Text: err.Error(), Final: true})
		return
	}
	about, err := s.about(from, to)
	if err != nil {
		s.refuse(err, done)
		return
	}
	spent := g.budget.take(len(p.Topic) + len(p.Payload))
	ctx, span := g.tracer.Receive(traceOf(p), "mqtt")
	g.pipeline.Publish(ctx, from, about, ingest.Message{
		Channel:     to.channel,
		ContentType: p.ContentType,
		Extensions:  properties.Extensions(p.UserProperties.All()),
		Body:        p.Payload,
	}, func(r outcome.Result) {
		g.budget.give(spent)
		tracing.End(span, r.Outcome.String(), false)
		done(answerOf(r))
	})
}

// traceOf is the trace context in the user properties of a message.
func traceOf(p *packet.Publish) context.Context {
	var parent, state string
	for name, value := range p.UserProperties.All() {
		switch name {
		case tracing.Parent:
			parent = value
		case tracing.State:
			state = value
		}
	}
	if parent == "" {
		return context.Background()
	}
	return tracing.Remote(context.Background(), strings.Clone(parent), strings.Clone(state))
}

// refuse answers a message that does not reach the pipeline.
func (s *session) refuse(err error, done func(protocol.Answer)) {
	r := outcome.ResultOf(err)
	s.gateway.metrics.refused(r.Outcome)
	done(answerOf(r))
}

// about finds the device that a message is about, if the connected one may speak for it; nil is the connected device.
func (s *session) about(from *auth.Session, to destination) (*registry.Device, error) {
	if !to.proxied || to.device == from.Device.Metadata.Name {
		return nil, nil
	}
	if to.device == "" {
		return nil, outcome.New(outcome.Forbidden, "")
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.gateway.config.AuthTimeout)
	defer cancel()
	return s.gateway.devices.AuthorizeAs(ctx, from, strings.Clone(to.device))
}
