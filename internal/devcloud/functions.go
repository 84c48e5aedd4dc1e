package devcloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/push"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

// Neighbours are what the functions are put together around.
type Neighbours struct {
	Kafka kafka.Config
	Redis string       // URL
	Token string       // that who asks for device authentication has to show
	Save  func() error // has on disk what is in the embedded Redis; nil with a real one
	Store *store.Store
}

// Management is what the registry's API is put together with.
type Management struct {
	Users     user.Config
	Endpoints registryfn.EndpointsConfig
}

// Functions are the functions of the data plane in this process.
type Functions struct {
	*assembly.Parts      // which the gateways are made from, too
	Telemetry, TTN, Auth http.Handler
	Push                 http.Handler        // for Triggers
	Registry             *functions.Registry // nil without a Management
	Command              http.Handler        // for users
	CommandEvents        http.Handler        // for Triggers

	assertion assertion.Config // who the clients of the gateway for HTTP are
}

// everything is the process that is all functions and gateways at once. They share one authenticator, which judges
// credentials itself, one pipeline and one producer.
var everything = assembly.Process{Name: "dev", Groups: []string{"kafka", "ingest"}, Access: assembly.Judges, Commands: true}

// assemble puts the functions together as for a cluster, with the defaults. Without a Management there is no API.
func assemble(ctx context.Context, n *Neighbours, m *Management, refused func(refusal.Report), logger *slog.Logger) (*Functions, error) {
	c := functions.DefaultConfig()
	c.Kafka, c.Cache.URL = n.Kafka, n.Redis
	c.API.Token = n.Token
	c.Downlink.Key = downlink.NewKey() // addresses are kept for as long as the process lives
	parts, err := assembly.Open(ctx, everything, c.Config, c.Auth, assembly.Neighbours{Log: zapTo(logger), Registry: n.Store, Refused: refused})
	if err != nil {
		return nil, err
	}
	f := &Functions{
		Parts:     parts,
		Telemetry: telemetry.New(c.Telemetry, parts.Authenticator, parts.Pipeline, parts.Commands),
		Auth:      authfn.New(c.API, parts.Decisions),
		assertion: newAssertion(),
	}
	if err := errors.Join(f.ttn(c), f.push(c)); err != nil {
		return nil, errors.Join(err, f.Close(ctx))
	}
	if m != nil {
		if err := f.manage(ctx, c, n, m); err != nil {
			return nil, errors.Join(err, f.Close(ctx))
		}
	}
	if err := f.command(c, n.Store); err != nil {
		return nil, errors.Join(err, f.Close(ctx))
	}
	return f, nil
}

// ttn adds the function for The Things Network.
func (f *Functions) ttn(c functions.Config) error {
	downlinks, err := functions.OpenDownlinks(&c, f.Parts)
	if err != nil {
		return err
	}
	handler := ttn.New(c.TTN, f.Authenticator, f.Pipeline)
	handler.KeepDownlinks(downlinks)
	f.TTN = handler
	return nil
}

// everywhere is where endpoints of users may lie on a laptop.
var everywhere = []string{"0.0.0.0/0", "::/0"}

// push adds the function that delivers to applications' own endpoints.
func (f *Functions) push(c functions.Config) error {
	c.Outbound.Allow = everywhere
	client, err := outbound.New(c.Outbound, nil)
	if err != nil {
		return err
	}
	f.OnClose(func(context.Context) error { client.Close(); return nil })
	f.Push = push.New(c.Push, f.Documents, client, f.Log)
	return nil
}

// manage adds the registry's API.
func (f *Functions) manage(ctx context.Context, c functions.Config, n *Neighbours, m *Management) error {
	if err := kafka.EnsureTopics(ctx, n.Kafka, Partitions, c.Changes.Topic); err != nil {
		return err
	}
	c.User, c.Registry.Endpoints = m.Users, m.Endpoints
	api, err := functions.NewRegistry(&c, n.Store, f.Documents, f.Writer, f.Refusals, f.Log)
	if err != nil {
		return err
	}
	f.Registry = api
	f.Service.RegisterWith(api)
	f.OnClose(api.Close)
	return nil
}
