package neighbour

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9/logging"
)

// shared holds the one instance of each server that the tests of a binary share. It is a variable because a test binary has no other
// place that all tests reach and that outlives each of them.
var shared struct {
	kafka    instance[*Kafka]
	redis    instance[*Redis]
	postgres instance[*Postgres]
}

// An instance is started by whoever needs it first. A start that failed is not tried again: it fails every test that needs it, at once.
type instance[S io.Closer] struct {
	once   sync.Once
	server S
	err    error
}

func (i *instance[S]) get(t testing.TB, start func(context.Context) (S, error)) S {
	t.Helper()
	i.once.Do(func() {
		// Not the test's context: the server outlives the test that happens to come first.
		i.server, i.err = start(context.Background())
	})
	if i.err != nil {
		t.Fatal(i.err)
	}
	return i.server
}

// close ends the server if there is one, and keeps it from being started.
func (i *instance[S]) close() error {
	i.once.Do(func() { i.err = ErrNotRunning })
	if i.err != nil {
		return nil
	}
	return i.server.Close()
}

// SharedKafka returns the broker that the tests of this binary share, started for the first of them. Leave it running; a test
// that wants to harm its broker uses [StartKafka].
func SharedKafka(t testing.TB) *Kafka {
	t.Helper()
	return shared.kafka.get(t, func(ctx context.Context) (*Kafka, error) { return StartKafka(ctx, KafkaFastStart()) })
}

// SharedRedis returns the server that the tests of this binary share, started for the first of them. See [Redis.Database].
func SharedRedis(t testing.TB) *Redis {
	t.Helper()
	return shared.redis.get(t, func(ctx context.Context) (*Redis, error) { return StartRedis(ctx) })
}

// SharedPostgres returns the server that the tests of this binary share, started for the first of them. See [Postgres.Database].
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	return shared.postgres.get(t, func(ctx context.Context) (*Postgres, error) { return StartPostgres(ctx, PostgresNoSync()) })
}

// Main runs the tests of a binary, stops the shared servers and returns the exit code. What go-redis logs of servers that a
// test has stopped is left out, so that the output of a test that passes is empty:
//
//	func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }
func Main(m *testing.M) int {
	logging.Disable()
	code := m.Run()
	for _, closing := range []func() error{shared.kafka.close, shared.redis.close, shared.postgres.close} {
		if err := closing(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}
