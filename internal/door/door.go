package door

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Door is an authenticator with what must be closed and checked with it.
type Door struct {
	auth.Authenticator
	decisions *auth.Cache
	documents *cache.Cache // nil where credentials are judged elsewhere
	checks    []process.Check
	closers   []func(context.Context) error
}

// A Backend is where documents are, and the secret that all who judge credentials share; usually a *store.Store.
type Backend interface {
	cache.Backend
	ProofSecret(ctx context.Context) ([]byte, error)
}

// NewJudge opens a door that judges credentials in this process, against the documents of a backend behind Redis. The
// backend stays open when the door closes.
func NewJudge(ctx context.Context, a auth.Config, c cache.Config, backend Backend, log *zap.Logger) (*Door, error) {
	documents, err := cache.New(c, backend)
	if err != nil {
		return nil, fmt.Errorf("opening the cache of the registry: %w", err)
	}
	service := auth.NewService(a.Service, documents, log)
	service.ShareProofs(backend.ProofSecret)
	door := front(a, service)
	door.documents = documents
	door.watch(ctx, documents)
	door.checks = append(door.checks, process.Check{Name: "registry", Run: documents.Ready})
	door.closers = append(door.closers, closing(documents.Close))
	return door, nil
}

// NewClient opens a door that asks the authentication function, with requests that sign signs; nil signs nothing. It hears of
// changes only where Redis is configured; without it a decision lasts for its time to live.
func NewClient(ctx context.Context, a auth.Config, c cache.Config, sign func(*http.Request) error) (*Door, error) {
	client := auth.NewClient(a.Client)
	if sign != nil {
		client.SignWith(sign)
	}
	door := front(a, client)
	if c.URL == "" {
		return door, nil
	}
	changes, err := cache.New(c, nobody{})
	if err != nil {
		return nil, fmt.Errorf("opening Redis for changes of the registry: %w", err)
	}
	door.watch(ctx, changes)
	door.closers = append(door.closers, closing(changes.Close))
	return door, nil
}

// Invalidate tells every process that documents changed. Only a door of NewJudge can.
func (d *Door) Invalidate(ctx context.Context, changes ...registry.Change) error {
	return d.documents.Invalidate(ctx, changes...)
}

// ForGateways is the door without what slows refusals down, for the authentication function: that stands where devices are
// connected, once.
func (d *Door) ForGateways() auth.Authenticator { return d.decisions }

// Checks are what readiness depends on.
func (d *Door) Checks() []process.Check { return d.checks }

// OnClose adds a step to Close, after those that are there.
func (d *Door) OnClose(step func(context.Context) error) { d.closers = append(d.closers, step) }

// Close lets go of what the door holds.
func (d *Door) Close(ctx context.Context) error {
	var problems []error
	for _, c := range d.closers {
		problems = append(problems, c(ctx))
	}
	return errors.Join(problems...)
}

func closing(c func() error) func(context.Context) error {
	return func(context.Context) error { return c() }
}

// nobody is the backend of a cache that is only listened to.
type nobody struct{}

var errNobody = errors.New("this process has no registry")

func (nobody) Application(context.Context, string) (*registry.Application, error) {
	return nil, errNobody
}

func (nobody) Device(context.Context, string, string) (*registry.Device, error) {
	return nil, errNobody
}

func (nobody) Ready(context.Context) error { return nil }

// front puts the decision cache before an authenticator, and before that the door at which refusals are evened out.
func front(c auth.Config, next auth.Authenticator) *Door {
	decisions := auth.NewCache(c.Cache, next)
	return &Door{Authenticator: auth.NewSteady(c.Steady, decisions), decisions: decisions}
}

// watch has the decisions of the door forgotten when what they rest on changes, until the door is closed.
func (d *Door) watch(ctx context.Context, changes *cache.Cache) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	cancel := changes.Subscribe(func(e cache.Event) {
		if e.Everything {
			d.decisions.InvalidateAll()
			return
		}
		d.decisions.Invalidate(e.Change)
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		changes.Watch(ctx)
	}()
	d.closers = append(d.closers, func(context.Context) error {
		cancel()
		stop()
		<-done
		return nil
	})
}
