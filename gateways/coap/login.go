package coap

import (
	"context"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// A login is who sends a request: the admitted device, and on whose behalf.
type login struct {
	session *auth.Session
	as      *registry.Device // nil: as the session says
	request auth.Request     // to ask again with, without a password; it is about the same device and the same as
}

// target is the device that the request is about.
func (l *login) target() *registry.Device {
	if l.as != nil {
		return l.as
	}
	return l.session.Target()
}

// login authenticates the sender of a request. A device that has proven itself in the handshake may not log in once more.
// What cannot be read goes to the authenticator all the same, as a log-in that nobody answers to, so that it is refused like
// every other. The report of a refusal is told who it is.
func (g *Gateway) login(ctx context.Context, r *protocol.Request, q endpoint.Query, d *requestReport) (*login, error) {
	traced, span := g.tracer.Start(ctx, tracing.Admission)
	defer span.End()
	bounded := auth.WithLazyTimeout(traced, g.config.AuthTimeout)
	defer bounded.Cancel()
	authorization, given := r.First(optionAuthorization)
	s, _ := r.Peer.Client.(*session)
	if s != nil && s.proven() && !given && q.Device == "" && s.belongsTo(q.Application) {
		return g.known(bounded, s, q.As, d)
	}
	request, err := auth.FromHTTP(string(authorization), q.Application, q.Device)
	if err != nil || (s != nil && s.proven()) {
		request = auth.Request{}
	}
	request.As = q.As
	request.Remote, request.Protocol = r.Peer.Remote().Addr().String(), refusal.CoAP
	d.of(request)
	admitted, err := g.devices.Authenticate(bounded, request)
	if err != nil && request.Credential == nil {
		err = explainLogin(given, s != nil && s.proven(), err)
	}
	if err != nil {
		return nil, err
	}
	r.Peer.Admit()
	l := &login{session: admitted, request: admitted.Renew(request)}
	d.by(l)
	return l, nil
}

// known is the log-in of a device that has proven itself in the handshake.
func (g *Gateway) known(ctx context.Context, s *session, as string, d *requestReport) (*login, error) {
	d.of(s.loginRequest())
	d.report.As = as
	admitted, err := s.admit(ctx)
	if err != nil {
		return nil, err
	}
	l := &login{session: admitted, request: admitted.Renew(s.request)}
	l.request.As = as
	d.by(l)
	if as == "" {
		return l, nil
	}
	l.as, err = g.devices.AuthorizeAs(ctx, admitted, as)
	return l, err
}
