package gateways

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/gateways/bridge"
	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/gateways/http"
	"github.com/fairlead/fairlead/gateways/mqtt"
	"github.com/fairlead/fairlead/gateways/opcua"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/transport"
)

// A constructor makes a gateway from its parts, and opens its listeners. The gateway serves until ctx ends, and then drains.
type constructor func(ctx context.Context, c *Config, p *assembly.Parts) (serve func(ctx context.Context) error, err error)

// constructors has one for each gateway of the table.
var constructors = map[string]constructor{
	assembly.MQTT:   newMQTT,
	assembly.CoAP:   newCoAP,
	assembly.HTTP:   newHTTP,
	assembly.Bridge: newBridge,
	assembly.OPCUA:  newOPCUA,

	assembly.Integration: newIntegration,
}

// newMQTT makes the gateway of MQTT. Presence begins before the first device comes and ends after the last has gone.
func newMQTT(ctx context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	tracker, closeTracker, err := StartPresence(ctx, c.Presence, c.Cache, p.Pipeline, p.Log)
	if err != nil {
		return nil, err
	}
	p.OnClose(closeTracker)
	p.Health.Add(process.Check{Name: "presence", Run: tracker.Ready}) // it says no while devices would be refused
	listeners, err := protocol.Listen(c.MQTT.ListenConfig, c.MQTT.Keys(p.Authenticator), p.Log)
	if err != nil {
		return nil, err
	}
	for _, e := range listeners.Endpoints() {
		p.Listening(e.Protocol, e.Listener.Addr().String(), e.Secure)
	}
	gateway := mqtt.New(c.MQTT, p.Authenticator, p.Pipeline, p.Commands, tracker, p.Log)
	return func(ctx context.Context) error { return gateway.Serve(ctx, listeners) }, nil
}

// StartPresence has the connections of devices known, until it is closed.
func StartPresence(ctx context.Context, c presence.Config, redis cache.Config, p presence.Publisher, log *zap.Logger) (t *presence.Tracker, closeTracker func(context.Context) error, err error) {
	client, err := redis.Client()
	if err != nil {
		return nil, nil, fmt.Errorf("opening Redis for presence: cache.%w", err)
	}
	t, err = presence.New(c, client, redis.Instance, p, log)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- t.Run(context.WithoutCancel(ctx)) }()
	return t, func(ctx context.Context) error { return errors.Join(t.Close(ctx), <-ended, client.Close()) }, nil
}

// newCoAP makes the gateway of CoAP.
func newCoAP(_ context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	var certificate func() (*tls.Certificate, error)
	if file := c.COAP.CertificateFile; file != "" {
		loaded, err := transport.LoadCertificate(file, c.COAP.KeyFile, p.Log)
		if err != nil {
			return nil, err
		}
		p.OnClose(func(context.Context) error { loaded.Close(); return nil })
		certificate = loaded.Get
	}
	gateway, err := coap.New(c.COAP, p.Authenticator, p.Pipeline, p.Commands, certificate, p.Log)
	if err != nil {
		return nil, err
	}
	if a := gateway.Address(); a.IsValid() {
		p.Listening("coap", a.String(), false)
	}
	if a := gateway.SecureAddress(); a.IsValid() {
		p.Listening("coap", a.String(), true)
	}
	return gateway.Run, nil
}

// newHTTP makes the front of the functions that devices post to.
func newHTTP(_ context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	signer, err := assertion.NewSigner(c.Assertion)
	if err != nil {
		return nil, fmt.Errorf("assertion.%w", err)
	}
	gateway, err := http.New(c.HTTP, signer, p.Refusals, p.Log)
	if err != nil {
		return nil, err
	}
	listener, err := http.Listen(c.HTTP.TLS, auth.Keys(p.Authenticator, c.HTTP.AuthTimeout), p.Log)
	if err != nil {
		return nil, fmt.Errorf("opening the listener for HTTP: %w", err)
	}
	p.Listening("https", listener.Addr().String(), true)
	return func(ctx context.Context) error { return gateway.Serve(ctx, listener) }, nil
}

// newBridge makes the bridge, which listens nowhere.
func newBridge(_ context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	b, err := bridge.New(c.Bridge, p.Authenticator, p.Pipeline, p.Log)
	if err != nil {
		return nil, err
	}
	p.Health.Add(process.Check{Name: "bridge", Run: b.Ready})
	return b.Run, nil
}

// newOPCUA makes the gateway of OPC UA, which listens nowhere. Presence ends after the gateway has.
func newOPCUA(ctx context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	tracker, closeTracker, err := StartPresence(ctx, c.Presence, c.Cache, p.Pipeline, p.Log)
	if err != nil {
		return nil, err
	}
	p.OnClose(closeTracker)
	g, err := opcua.New(c.OPCUA, p.Authenticator, p.Pipeline, p.Commands, tracker, p.Log)
	if err != nil {
		return nil, err
	}
	p.Health.Add(process.Check{Name: "opcua", Run: g.Ready})
	return g.Run, nil
}
