package functions

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/push"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/command/external"
	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

// A constructor makes the handler of a function from its parts. s is nil where the function has no database.
type constructor func(c *Config, p *assembly.Parts, s *store.Store) (http.Handler, error)

// constructors has one for each function of the table.
var constructors = map[string]constructor{
	assembly.Telemetry:      newTelemetry,
	assembly.TTN:            newTTN,
	assembly.Auth:           newAuth,
	assembly.DeviceRegistry: newRegistry,
	assembly.Provision:      newProvision,
	assembly.Push:           newPush,
	assembly.Command:        newCommand,
}

func newTelemetry(c *Config, p *assembly.Parts, _ *store.Store) (http.Handler, error) {
	return assertion.NewVerifier(c.Assertion).Handler(telemetry.New(c.Telemetry, p.Authenticator, p.Pipeline, p.Commands)), nil
}

func newTTN(c *Config, p *assembly.Parts, _ *store.Store) (http.Handler, error) {
	handler := ttn.New(c.TTN, p.Authenticator, p.Pipeline)
	downlinks, err := OpenDownlinks(c, p)
	if err != nil {
		return nil, err
	}
	if downlinks != nil {
		handler.KeepDownlinks(downlinks)
	}
	return assertion.NewVerifier(c.Assertion).Handler(handler), nil
}

// NewExternal makes what sends commands to endpoints outside.
func NewExternal(c *Config, p *assembly.Parts) (*external.Client, error) {
	client, err := outbound.New(c.Outbound, nil)
	if err != nil {
		return nil, fmt.Errorf("outbound.%w", err)
	}
	p.OnClose(func(context.Context) error { client.Close(); return nil })
	downlinks, err := OpenDownlinks(c, p)
	if err != nil || downlinks == nil {
		return external.New(client, nil), err
	}
	return external.New(client, downlinks), nil
}

// OpenDownlinks opens what keeps downlink addresses, if there is a key; else it is nil.
func OpenDownlinks(c *Config, p *assembly.Parts) (*downlink.Store, error) {
	if !c.Downlink.Enabled() {
		return nil, nil //nolint:nilnil // nil keeps none
	}
	if c.Cache.URL == "" {
		return nil, errors.New("downlink.key: needs cache.url")
	}
	client, err := c.Cache.Client()
	if err != nil {
		return nil, fmt.Errorf("opening Redis for downlink addresses: cache.%w", err)
	}
	p.OnClose(func(context.Context) error { return client.Close() })
	store, err := downlink.New(c.Downlink, client, c.Cache.Instance)
	if err != nil {
		return nil, fmt.Errorf("downlink.%w", err)
	}
	return store, nil
}

// newAuth makes the authentication function. Where providers are configured, their services may ask.
func newAuth(c *Config, p *assembly.Parts, s *store.Store) (http.Handler, error) {
	handler := authfn.New(c.API, p.Decisions)
	handler.AnswerAbout(accounts.New(s))
	callers, err := services(c, p)
	if err != nil {
		return nil, err
	}
	if callers != nil {
		handler.AdmitServices(callers)
	}
	return handler, nil
}

// newRegistry makes the registry's API. It is ready when the database is: without Redis and Kafka it serves, and what changed
// waits in the database to be told.
func newRegistry(c *Config, p *assembly.Parts, s *store.Store) (http.Handler, error) {
	registry, err := NewRegistry(c, s, p.Documents, p.Writer, p.Refusals, p.Log)
	if err != nil {
		return nil, err
	}
	p.Health.Add(process.Check{Name: "registry", Run: s.Ready})
	p.OnClose(registry.Close)
	return registry, nil
}

// services finds out which service calls, where providers are configured; else it is nil.
func services(c *Config, p *assembly.Parts) (*user.Authenticator, error) {
	if len(c.User.Providers) == 0 {
		return nil, nil
	}
	return user.New(c.User, nil, nil, p.Log)
}

// newPush makes the function that delivers to applications' own endpoints. Where providers are configured, only their services may
// hand it events.
func newPush(c *Config, p *assembly.Parts, _ *store.Store) (http.Handler, error) {
	client, err := outbound.New(c.Outbound, nil)
	if err != nil {
		return nil, fmt.Errorf("outbound.%w", err)
	}
	p.OnClose(func(context.Context) error { client.Close(); return nil })
	p.Health.Add(process.Check{Name: "registry", Run: p.Documents.Ready})
	handler := push.New(c.Push, p.Documents, client, p.Log)
	callers, err := services(c, p)
	if err != nil {
		return nil, err
	}
	if callers != nil {
		handler.AdmitServices(callers)
	}
	return handler, nil
}
