package opcua

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A door admits the gateway device site, and lets it speak for every device but stranger. The device b is named bee in the registry.
type door struct{ auth.Authenticator }

func (door) Authenticate(context.Context, auth.Request) (*auth.Session, error) {
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "plant"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "site"}},
	}, nil
}

func (door) AuthorizeAs(_ context.Context, _ *auth.Session, name string) (*registry.Device, error) {
	if name == "stranger" {
		return nil, outcome.New(outcome.Forbidden, "")
	}
	if name == "b" {
		name = "bee"
	}
	return &registry.Device{Metadata: registry.Metadata{Name: name}}, nil
}

// sessions are those that are claimed, by the device's name in the registry.
type sessions struct {
	mu   sync.Mutex
	lost map[string]func()
}

type session struct {
	of   *sessions
	name string
}

func (s *sessions) Claim(_ context.Context, of *auth.Session, lost func()) (lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[of.Device.Metadata.Name] = lost
	return session{s, of.Device.Metadata.Name}, nil
}

func (s session) Release(bool) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	delete(s.of.lost, s.name)
}

func (s *sessions) expect(t *testing.T, names ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := slices.Sorted(maps.Keys(s.lost)); !slices.Equal(got, names) {
		t.Errorf("sessions of %s, want %s", strings.Join(got, ", "), strings.Join(names, ", "))
	}
}

func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		held := &sessions{lost: map[string]func(){}}
		c := forward.Config{Gateway: forward.GatewayConfig{Application: "plant", Device: "site"}, RetryDelay: time.Second, AuthTimeout: time.Second}
		g := &Gateway{claimer: held, forwarder: forward.New(c, door{}, nil, nil, zap.NewNop())}
		g.config.Gateway = c.Gateway
		running.Go(func() { g.forwarder.Run(ctx) })
		claims := newClaims(&upstream{gateway: g, log: zap.NewNop()})
		running.Go(func() { claims.run(ctx) })

		devices := func(names ...string) (list []*mapping.DevicePlan) {
			for _, name := range names {
				list = append(list, &mapping.DevicePlan{Name: name})
			}
			return list
		}
		claims.want(devices("a", "b", "site", "stranger"))
		held.expect(t)
		claims.connected(true)
		held.expect(t, "a", "bee", "site")
		if name, ok := claims.named("bee"); !ok || name != "b" {
			t.Errorf("bee is %q", name)
		}
		claims.want(devices("b", "c"))
		held.expect(t, "bee", "c")

		held.mu.Lock()
		lost := held.lost["c"]
		delete(held.lost, "c")
		held.mu.Unlock()
		lost()
		if _, ok := claims.named("c"); ok {
			t.Error("a device whose session is lost is found")
		}
		time.Sleep(longestClaimPause)
		held.expect(t, "bee", "c")
		claims.connected(false)
		held.expect(t)
		claims.connected(true)
		held.expect(t, "bee", "c")
		stop()
		running.Wait()
		held.expect(t)
	})
}
