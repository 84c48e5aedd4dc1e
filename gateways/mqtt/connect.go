package mqtt

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

var _ protocol.Handler = (*Gateway)(nil)

// Connect admits a device: it judges the log-in, and claims the device's presence, which ends its other sessions. The
// packet is not used afterwards.
func (g *Gateway) Connect(ctx context.Context, c *protocol.Conn, p *packet.Connect) (protocol.Session, error) {
	request := requestOf(c, p)
	s, err := g.connect(ctx, c, p, request)
	if err != nil {
		err = explainLogin(c, p, request, err)
		g.reportConnect(c, request, err)
		return nil, err
	}
	return s, nil
}

func (g *Gateway) connect(ctx context.Context, c client, p *packet.Connect, request auth.Request) (*session, error) {
	admitted, err := g.authenticate(ctx, request)
	if err != nil {
		return nil, err
	}
	dialect, err := registry.DialectOf(admitted.Application, admitted.Device)
	if err != nil {
		g.log.Warn("device refused", append(names(admitted), zap.Error(err))...)
		return nil, misconfigured()
	}
	will, err := g.willOf(p.Will)
	if err != nil {
		return nil, err
	}
	s := newSession(g, c, admitted.Renew(request), dialect)
	if s.lease, err = g.presences.Claim(ctx, admitted, will, s.lost); err != nil {
		return nil, err
	}
	s.admission.Store(admitted)
	s.recheck.Admit(admitted)
	g.log.Debug("device connected", append(names(admitted), zap.Uint8("version", uint8(p.Version)))...)
	return s, nil
}

// requestOf makes the request that a CONNECT stands for. A log-in that cannot be read is asked for all the same, as one
// that nobody answers to, so that it is refused like every other.
func requestOf(c client, p *packet.Connect) auth.Request {
	proven := c.TLS()
	request, err := auth.FromMQTT(auth.MQTTLogin{
		ClientID:    p.ClientID,
		HasUsername: p.HasUsername,
		Username:    p.Username,
		HasPassword: p.HasPassword,
		Password:    p.Password,
		Chain:       proven.Chain,
		Identity:    proven.Identity,
		Proof:       auth.Proof(proven.Proof),
	})
	if err != nil {
		request = auth.Request{}
	}
	request.Remote, request.Protocol = c.Remote(), refusal.MQTT
	return request
}

func (g *Gateway) authenticate(ctx context.Context, r auth.Request) (*auth.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
	defer cancel()
	ctx, span := g.tracer.Start(ctx, tracing.Admission)
	admitted, err := g.devices.Authenticate(ctx, r)
	tracing.End(span, outcome.Of(err).String(), false)
	return admitted, err
}

// willOf is the message that is published when the connection ends unexpectedly: the topic of the will is its channel,
// whatever the dialect. A will that could not be published is refused now, while somebody is there to hear of it.
func (g *Gateway) willOf(w *packet.Will) (*presence.Will, error) {
	if w == nil {
		return nil, nil
	}
	if err := event.ValidateContentType(w.ContentType); err != nil {
		return nil, outcome.New(outcome.Invalid, err.Error())
	}
	if err := g.pipeline.Check(ingest.Message{Channel: w.Topic, ContentType: w.ContentType, Body: w.Payload}); err != nil {
		return nil, refusalOf(outcome.ResultOf(err))
	}
	return &presence.Will{Topic: strings.Clone(w.Topic), ContentType: strings.Clone(w.ContentType), Payload: append([]byte(nil), w.Payload...)}, nil
}

// names are what a log line says of a device.
func names(s *auth.Session) []zap.Field {
	return []zap.Field{zap.String("application", s.Application.Metadata.Name), zap.String("device", s.Device.Metadata.Name)}
}
