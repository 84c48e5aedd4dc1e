package mqtt

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/mqtt/properties"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// Publish hands a message to the pipeline. done is called after Kafka's acknowledgement. It blocks while the messages of
// all clients that wait for Kafka are too many. Of the packet's properties the content type counts, and user properties
// that can be extensions.
func (s *session) Publish(p *packet.Publish, done func(protocol.Answer)) {
	g, from, received, qos := s.gateway, s.admission.Load(), time.Now(), byte(p.QoS)
	to, err := destinationOf(s.dialect, p.Topic)
	if err != nil {
		s.refuse(p, "", err, done)
		return
	}
	if err := event.ValidateContentType(p.ContentType); err != nil {
		g.metrics.refused(outcome.Invalid)
		r := outcome.Result{Outcome: outcome.Invalid, Reason: err.Error()}
		a := protocol.Answer{Reason: packet.UnspecifiedError, Text: r.Reason, Final: true}
		s.reportMessage(p.Topic, to.device, qos, a, r)
		done(a)
		return
	}
	about, err := s.about(from, to)
	if err != nil {
		s.refuse(p, to.device, err, done)
		return
	}
	device, correlation := s.answered(from, about, to, p)
	spent := g.budget.Take(len(p.Topic) + len(p.Payload))
	ctx, span := g.tracer.Receive(traceOf(p), "mqtt")
	g.pipeline.Publish(ctx, from, about, ingest.Message{
		Channel:     to.channel,
		ContentType: p.ContentType,
		Extensions:  properties.Extensions(p.UserProperties.All()),
		Body:        p.Payload,
		Correlation: correlation,
		Protocol:    refusal.MQTT,
		Received:    received,
	}, func(r outcome.Result) {
		g.budget.Give(spent)
		tracing.End(span, r.Outcome.String(), false)
		if !r.Outcome.Good() {
			s.awaited.giveBack(device, correlation, r.Outcome)
			s.reportMessage(refusedTopic(p, r), "", qos, answerOf(r), r)
		}
		done(answerOf(r))
	})
}

// answered finds the command that a message answers: the device's registry name, and the command's correlation, or "".
func (s *session) answered(from *auth.Session, about *registry.Device, to destination, p *packet.Publish) (device, correlation string) {
	if to.channel != command.ResponseChannel {
		return "", ""
	}
	if about == nil {
		about = from.Device
	}
	device = about.Metadata.Name
	return device, s.awaited.take(device, string(p.CorrelationData))
}

// refusedTopic is the topic of a message that the pipeline refused for what it is, which it does while the packet is valid.
func refusedTopic(p *packet.Publish, r outcome.Result) string {
	if r.Outcome.Final() {
		return p.Topic
	}
	return ""
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
func (s *session) refuse(p *packet.Publish, as string, err error, done func(protocol.Answer)) {
	r := outcome.ResultOf(err)
	s.gateway.metrics.refused(r.Outcome)
	s.reportMessage(p.Topic, as, byte(p.QoS), answerOf(r), r)
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
	ctx := auth.WithLazyTimeout(context.Background(), s.gateway.config.AuthTimeout)
	defer ctx.Cancel()
	return s.gateway.devices.AuthorizeAs(ctx, from, strings.Clone(to.device))
}
