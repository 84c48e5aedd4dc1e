package coap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/plgd-dev/go-coap/v3/message/codes"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/dtls"
	"github.com/fairlead/fairlead/internal/fairshare"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/tracing"
)

// A Gateway serves CoAP devices.
type Gateway struct {
	config   Config
	devices  auth.Authenticator
	pipeline *ingest.Pipeline
	commands *command.Hub
	log      *zap.Logger
	formats  formats
	metrics  *metrics
	tracer   tracing.Tracer

	endpoint *protocol.Endpoint
	plain    *protocol.Server // nil if it is off
	secure   *dtls.Listener   // nil if it is off

	waiting   *fairshare.Room // of requests that wait for a command
	observers *fairshare.Room
	closing   chan struct{}

	readmission *auth.Readmission
}

var _ protocol.Handler = (*Gateway)(nil)

// New makes a gateway and opens its sockets; port 0 takes a free one. certificate is asked for the server's certificate in
// each handshake that needs one; nil offers pre-shared keys only. Run must be called.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, commands *command.Hub, certificate func() (*tls.Certificate, error), log *zap.Logger) (*Gateway, error) {
	g := &Gateway{
		config: c, devices: devices, pipeline: pipeline, commands: commands, log: log, formats: newFormats(), tracer: tracing.New(),
		waiting: fairshare.NewRoom(c.MaxWaiting), observers: fairshare.NewRoom(c.Message.MaxObservations), closing: make(chan struct{}),
		readmission: auth.NewReadmission(devices, c.AuthTimeout, c.ReadmissionTimeout),
	}
	g.metrics = newMetrics(g.waiting.Len)
	g.endpoint = protocol.NewEndpoint(c.Message, g, pipeline.MaxBody(), optionAuthorization)
	g.endpoint.OnRefusal(g.reportBroken)
	if err := g.open(certificate); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *Gateway) open(certificate func() (*tls.Certificate, error)) (err error) {
	if g.config.Address != "" {
		if g.plain, err = g.endpoint.ListenUDP(g.config.Address); err != nil {
			return fmt.Errorf("listening for CoAP: %w", err)
		}
	}
	if g.config.SecureAddress != "" {
		secrets := dtls.Secrets{Key: auth.Keys(g.devices, g.config.AuthTimeout), Certificate: certificate, Failed: g.reportHandshake}
		if g.secure, err = dtls.Listen(g.config.SecureAddress, g.config.Session, secrets); err != nil {
			return fmt.Errorf("listening for CoAP over DTLS: %w", err)
		}
	}
	return nil
}

// Address is where the gateway listens for plain CoAP; not valid if it does not.
func (g *Gateway) Address() (address netip.AddrPort) {
	if g.plain != nil {
		return g.plain.Address()
	}
	return address
}

// SecureAddress is where the gateway listens for CoAP over DTLS; not valid if it does not.
func (g *Gateway) SecureAddress() (address netip.AddrPort) {
	if g.secure != nil {
		return g.secure.Address()
	}
	return address
}

// Run serves until ctx ends. It then takes no more requests, and returns when those before are answered and the answers have
// arrived, or after Config.DrainTimeout.
func (g *Gateway) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	var serving sync.WaitGroup
	if g.plain != nil {
		serving.Go(func() { failed <- g.plain.Serve() })
	}
	if g.secure != nil {
		serving.Go(func() { failed <- g.secure.Serve(g.serve) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, g.drain(), g.close())
	serving.Wait()
	return err
}

// drain answers what is under way. Requests that wait for a command stop waiting.
func (g *Gateway) drain() error {
	close(g.closing)
	if g.secure != nil {
		g.secure.Refuse()
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.config.DrainTimeout)
	defer cancel()
	if err := g.endpoint.Drain(ctx); err != nil {
		g.log.Warn("CoAP gateway closes before all devices have their answers", zap.Error(err))
	}
	return nil
}

func (g *Gateway) close() (err error) {
	if g.secure != nil {
		err = g.secure.Close()
	}
	if g.plain != nil {
		err = errors.Join(err, g.plain.Close())
	}
	g.endpoint.Close()
	return err
}

// Head judges a request whose body has only begun to come.
func (g *Gateway) Head(ctx context.Context, r *protocol.Request) (owner string, refusal *protocol.Response) {
	d := g.report(r)
	t, refused := g.route(r, d)
	if refused != nil {
		return "", refused
	}
	l, err := g.login(ctx, r, t.query, &d)
	if err != nil {
		response := d.login(err)
		return "", &response
	}
	return l.session.Application.Metadata.Name, nil
}

// Serve answers a request.
func (g *Gateway) Serve(ctx context.Context, r *protocol.Request, reply func(protocol.Response)) {
	d := g.report(r)
	t, refused := g.route(r, d)
	switch {
	case refused != nil:
		reply(*refused)
	case r.Code != codes.GET:
		g.publish(ctx, r, t, d, reply)
	case r.Wish() == protocol.Register:
		g.observe(ctx, r, t, d, reply)
	case r.Wish() == protocol.Deregister:
		r.Deregister()
		reply(protocol.Response{Code: codes.Content})
	default:
		g.poll(ctx, r, t, d, reply)
	}
}

// route reads where a request goes. POST and PUT publish; GET is for commands.
func (g *Gateway) route(r *protocol.Request, d requestReport) (t target, refused *protocol.Response) {
	if discovers(r) {
		response := d.with(protocol.Diagnostic(codes.NotFound, ""), noResource("the gateway does not tell which resources it has"))
		return t, &response
	}
	t, err := targetOf(r)
	if err != nil {
		response := d.answer(outcome.ResultOf(err))
		return t, &response
	}
	publishes := r.Code == codes.POST || r.Code == codes.PUT
	if !publishes && !(r.Code == codes.GET && t.whole && t.channel == commandsChannel) {
		response := d.with(protocol.Diagnostic(codes.MethodNotAllowed, ""), noResource("devices publish with POST or PUT, and GET /v1/commands"))
		return t, &response
	}
	return t, nil
}

// noResource is why there is nothing at a path for a method.
func noResource(reason string) outcome.Result {
	return outcome.Result{Outcome: outcome.Invalid, Reason: reason}
}
