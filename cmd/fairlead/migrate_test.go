//go:build integration

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMigrate(t *testing.T) {
	server, err := neighbour.StartPostgres(t.Context(), neighbour.PostgresNoSync())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s, err := postgres.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ready(t.Context()); !errors.Is(err, store.ErrSchema) {
		t.Fatalf("before: %v, want ErrSchema", err)
	}
	for range 2 {
		status, out, problems := command(t.Context(), "migrate", "--database", server.URL())
		if status != 0 || !strings.Contains(out, "version") || problems != "" {
			t.Errorf("status %d, %q, %q", status, out, problems)
		}
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("after: %v", err)
	}
}
