package gateways

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/gateways/integration"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/feed"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/internal/transport"
	"github.com/fairlead/fairlead/internal/user"
)

// newIntegration makes the gateway for users who consume events. Who they are it finds out itself, where they come with the token of a
// provider; access tokens, and whose an application is, it asks the authentication function.
func newIntegration(_ context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
	sign, err := c.Self.Signer()
	if err != nil {
		return nil, fmt.Errorf("self.%w", err)
	}
	about := user.NewClient(c.Auth.Client.URL, c.Integration.AuthTimeout, signer(c.Auth.Client.Token, sign))
	users, err := user.New(c.User, about, nil, p.Log)
	if err != nil {
		return nil, err
	}
	gateway, err := NewIntegration(c, p, users, about, sign)
	if err != nil {
		return nil, err
	}
	listeners, err := listenForConsumers(&c.Integration, p)
	if err != nil {
		return nil, err
	}
	p.Health.Add(process.Check{Name: "kafka", Run: p.Producer.Ready})
	return func(ctx context.Context) error { return gateway.Serve(ctx, listeners) }, nil
}

// signer shows the authentication function who asks, with a token or with what a service has.
func signer(token string, service func(*http.Request) error) func(*http.Request) error {
	return func(r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if service != nil {
			return service(r)
		}
		return nil
	}
}

// NewIntegration makes the gateway for users who consume events, from who knows users and whose applications are. sign shows who sends
// commands; it may be nil.
func NewIntegration(
	c *Config, p *assembly.Parts, users feed.Users, applications feed.Applications, sign func(*http.Request) error,
) (*integration.Gateway, error) {
	cluster, err := stream.Connect(c.Kafka)
	if err != nil {
		return nil, fmt.Errorf("opening Kafka: %w", err)
	}
	p.OnClose(func(context.Context) error { cluster.Close(); return nil })
	guard := feed.NewGuard(users, applications)
	if p.Changes != nil {
		stop := p.Changes.Subscribe(guard.Hear)
		p.OnClose(func(context.Context) error { stop(); return nil })
	}
	return integration.New(c.Integration, integration.Parts{
		Guard: guard, Feed: feed.New(c.Integration.Feed, cluster, p.Log), Router: p.Router, Refusals: p.Refusals, Sign: sign, Log: p.Log,
	}), nil
}

// listenForConsumers opens the listeners, and says so.
func listenForConsumers(c *integration.Config, p *assembly.Parts) (integration.Listeners, error) {
	var l integration.Listeners
	var err error
	if l.MQTT, err = protocol.Listen(c.MQTT, nil, p.Log); err != nil {
		return l, err
	}
	for _, e := range l.MQTT.Endpoints() {
		p.Listening(e.Protocol, e.Listener.Addr().String(), e.Secure)
	}
	if c.Web.Address == "" {
		return l, nil
	}
	if l.Web, err = transport.Listen(c.Web.Config, p.Log); err != nil {
		_ = l.MQTT.Close()
		return l, fmt.Errorf("opening the listener for WebSocket and Server-Sent Events: %w", err)
	}
	p.Listening("websocket", l.Web.Addr().String(), c.Web.CertificateFile != "")
	return l, nil
}
