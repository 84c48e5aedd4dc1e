//go:build integration

package postgres_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/store/storetest"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	server := neighbour.SharedPostgres(t)
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, server.Database(t)) })
}

// Two processes wait for each other.
func TestExclusive(t *testing.T) {
	url := neighbour.SharedPostgres(t).Database(t)
	one, other := open(t, url), open(t, url)
	defer one.Close()
	defer other.Close()
	if err := migrate.Up(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	storetest.Exclusive(t, one, other)
}

func TestMigratingAtOnce(t *testing.T) {
	url := neighbour.SharedPostgres(t).Database(t)
	var group sync.WaitGroup
	for range 4 {
		s := open(t, url)
		defer s.Close()
		group.Go(func() {
			if err := migrate.Up(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// A server that is killed takes neither what was committed nor what must still be told with it.
func TestCrashedServer(t *testing.T) {
	server, err := neighbour.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s := open(t, server.URL())
	defer s.Close()
	if err := migrate.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplyApplication(t.Context(), &registry.Application{Metadata: registry.Metadata{Name: "app"}}); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := s.Application(t.Context(), "app"); err == nil || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("without a server: %v, want an error other than not found", err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the store to be ready", func() bool { return s.Ready(t.Context()) == nil })
	if _, err := s.Application(t.Context(), "app"); err != nil {
		t.Error(err)
	}
	if entries, err := s.Pending(t.Context(), 10); err != nil || len(entries) != 1 {
		t.Errorf("outbox after the crash: %v, %v", entries, err)
	}
}
