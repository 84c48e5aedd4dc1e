package assembly

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/registry"
)

// openDocuments opens the registry's documents in Redis and in the given registry.
func (p *Parts) openDocuments(c cache.Config, n Neighbours) (err error) {
	if n.Registry == nil {
		return errors.New("the process was given no registry")
	}
	if p.Documents, err = cache.New(c, n.Registry); err != nil {
		return fmt.Errorf("opening the cache of the registry: %w", err)
	}
	p.OnClose(closing(p.Documents.Close))
	p.Changes = p.Documents
	return nil
}

// judge decides about devices in this process, from the documents.
func (p *Parts) judge(ctx context.Context, c Config, a auth.Config, n Neighbours) error {
	p.Service = auth.NewService(a.Service, p.Documents, p.Log)
	p.Service.ShareProofs(n.Registry.ProofSecret)
	if a.Registry.URL != "" {
		sign, err := c.Self.Signer()
		if err != nil {
			return fmt.Errorf("self.%w", err)
		}
		p.Service.RegisterWith(auth.NewRegistryClient(a.Registry, sign))
	}
	p.admit(a, p.Service)
	p.watch(ctx, p.Documents)
	p.Health.Add(process.Check{Name: "registry", Run: p.Documents.Ready})
	return nil
}

// ask has the authentication function decide about devices. The process hears of changes only where Redis is configured;
// without it a decision lasts for its time to live.
func (p *Parts) ask(ctx context.Context, c Config, a auth.Config) error {
	sign, err := c.Self.Signer()
	if err != nil {
		return fmt.Errorf("self.%w", err)
	}
	client := auth.NewClient(a.Client)
	if sign != nil {
		client.SignWith(sign)
	}
	p.admit(a, client)
	if c.Cache.URL == "" {
		return nil
	}
	changes, err := cache.New(c.Cache, noRegistry{})
	if err != nil {
		return fmt.Errorf("opening Redis for changes of the registry: %w", err)
	}
	p.OnClose(closing(changes.Close))
	p.Changes = changes
	p.watch(ctx, changes)
	return nil
}

// admit puts the decision cache before an authenticator, and before that what makes refusals uniform and slows them down.
func (p *Parts) admit(c auth.Config, next auth.Authenticator) {
	p.Decisions = auth.NewCache(c.Cache, next)
	p.Authenticator = auth.NewSteady(c.Steady, p.Decisions)
}

// forgetAgain is how long after everything was forgotten it is once more. When Redis comes back, the authentication function may hear
// of it later than who asks it, and until then answers what it knew before; that must not be kept. It notices within two seconds that
// it hears nothing (internal/redis), and uses decisions for one more second then (auth.Cache).
const forgetAgain = 5 * time.Second

// watch has decisions forgotten when what they rest on changes, until the parts are closed.
func (p *Parts) watch(ctx context.Context, changes *cache.Cache) {
	p.Decisions.HearsWhile(changes.Live)
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	cancel := changes.Subscribe(func(e cache.Event) {
		if e.Everything {
			p.Decisions.InvalidateAll()
			time.AfterFunc(forgetAgain, p.Decisions.InvalidateAll)
			return
		}
		p.Decisions.Invalidate(e.Change)
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		changes.Watch(ctx)
	}()
	p.OnClose(func(context.Context) error {
		cancel()
		stop()
		<-done
		return nil
	})
}

// noRegistry is the backend of a cache that is only listened to.
type noRegistry struct{}

var errNoRegistry = errors.New("this process has no registry")

func (noRegistry) Application(context.Context, string) (*registry.Application, error) {
	return nil, errNoRegistry
}

func (noRegistry) Anchored(context.Context, string) ([]string, error) { return nil, errNoRegistry }

func (noRegistry) Device(context.Context, string, string) (*registry.Device, error) {
	return nil, errNoRegistry
}

func (noRegistry) Ready(context.Context) error { return nil }
