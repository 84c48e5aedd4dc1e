//go:build integration

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// startPatience bounds the start of everything, the build of the function with an empty build cache included.
const startPatience = 10 * time.Minute

// waitLimit bounds the wait for something that happens at once unless it is broken.
const waitLimit = time.Minute

// A world is what all tests share.
type world struct {
	kafka    *neighbour.Kafka
	redis    *neighbour.Redis
	postgres *neighbour.Postgres

	// The registry as its management writes it: documents into the store, changes into the cache.
	store *store.Store
	cache *cache.Cache

	binary    functionbin.Binary
	telemetry *functionbin.Function // judges credentials itself
	auth      *functionbin.Function
	remote    *functionbin.Function // telemetry that asks auth
	ttn       *functionbin.Function

	dir     string
	closers []io.Closer
}

// here is the world of this test binary. It is a variable because TestMain has no other way to hand something to tests.
var here *world

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	// A setting of the developer's own environment would reach the functions under test.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "FAIRLEAD_") {
			_ = os.Unsetenv(name)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	here = new(world)
	defer func() {
		if err := here.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}()
	if err := here.start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func (w *world) start(ctx context.Context) (err error) {
	if w.dir, err = os.MkdirTemp("", "fairlead-e2e-"); err != nil {
		return err
	}
	steps := []func(context.Context) error{w.build, w.startNeighbours, w.openRegistry, w.startFunctions}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) build(ctx context.Context) (err error) {
	w.binary, err = functionbin.Build(ctx, w.dir)
	return err
}

func (w *world) startNeighbours(ctx context.Context) (err error) {
	if w.kafka, err = neighbour.StartKafka(ctx, neighbour.KafkaFastStart()); err != nil {
		return err
	}
	w.closers = append(w.closers, w.kafka)
	if w.redis, err = neighbour.StartRedis(ctx); err != nil {
		return err
	}
	w.closers = append(w.closers, w.redis)
	if w.postgres, err = neighbour.StartPostgres(ctx, neighbour.PostgresNoSync()); err != nil {
		return err
	}
	w.closers = append(w.closers, w.postgres)
	return nil
}

func (w *world) openRegistry(ctx context.Context) (err error) {
	if w.store, err = postgres.Open(ctx, w.postgres.URL()); err != nil {
		return err
	}
	w.closers = append(w.closers, w.store)
	if err = migrate.Up(ctx, w.store); err != nil {
		return err
	}
	config := cache.DefaultConfig()
	config.URL = w.redis.URL()
	if w.cache, err = cache.New(config, w.store); err != nil {
		return err
	}
	w.closers = append(w.closers, w.cache)
	return nil
}

func (w *world) startFunctions(ctx context.Context) (err error) {
	if w.telemetry, err = w.function(ctx, "telemetry", w.registry()...); err != nil {
		return err
	}
	if w.ttn, err = w.function(ctx, "ttn", w.registry()...); err != nil {
		return err
	}
	if w.auth, err = w.function(ctx, "auth", w.registry()...); err != nil {
		return err
	}
	w.remote, err = w.function(ctx, "telemetry", w.remoteAuthentication()...)
	return err
}

// function starts one more function. It ends with the world unless the test ends it.
func (w *world) function(ctx context.Context, name string, settings ...string) (*functionbin.Function, error) {
	if name != "auth" {
		settings = append(settings, "FAIRLEAD_KAFKA_BROKERS="+w.kafka.Brokers()[0])
	}
	f, err := w.binary.Start(ctx, name, settings...)
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, f)
	return f, nil
}

// registry is the settings of a function that judges credentials itself.
func (w *world) registry() []string {
	return append(frontSettings(), "FAIRLEAD_DATABASE_URL="+w.postgres.URL(), "FAIRLEAD_CACHE_URL="+w.redis.URL())
}

// remoteAuthentication is the settings of a function that asks the authentication function, and hears from Redis when it
// must ask again.
func (w *world) remoteAuthentication() []string {
	return append(frontSettings(), "FAIRLEAD_AUTH_CLIENT_URL="+w.auth.URL(), "FAIRLEAD_CACHE_URL="+w.redis.URL())
}

// frontSettings keeps what is cached for longer than any test waits, so that only a push can renew it. Refusals are not
// slowed down much, since all clients of this suite have the same address, and one without a decision comes soon.
func frontSettings() []string {
	return []string{
		"FAIRLEAD_AUTH_CACHE_TTL=10m", "FAIRLEAD_AUTH_CACHE_NEGATIVE_TTL=10m",
		"FAIRLEAD_CACHE_LOCAL_TTL=10m", "FAIRLEAD_CACHE_NEGATIVE_TTL=10m",
		"FAIRLEAD_AUTH_STEADY_QUANTUM=20ms", "FAIRLEAD_AUTH_STEADY_MAX_DELAY=40ms", "FAIRLEAD_AUTH_STEADY_FAILURES=100000",
	}
}

// close ends what was started, the last first.
func (w *world) close() error {
	var problems []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		problems = append(problems, w.closers[i].Close())
	}
	return errors.Join(append(problems, os.RemoveAll(w.dir))...)
}

// ownTelemetry starts a telemetry function for a test that ends it.
func ownTelemetry(t *testing.T, settings ...string) *functionbin.Function {
	t.Helper()
	f, err := here.function(bounded(t), "telemetry", append(here.registry(), settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	return f
}

// bounded is a context for what takes seconds at most.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	t.Cleanup(cancel)
	return ctx
}
