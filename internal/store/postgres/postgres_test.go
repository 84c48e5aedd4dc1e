package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store/postgres"
)

func TestConfigValidate(t *testing.T) {
	const good = "postgres://user:hey-rodney@localhost/db"
	f := func(change func(*postgres.Config), want string) {
		t.Helper()
		config := postgres.DefaultConfig()
		config.URL = good
		change(&config)
		err := config.Validate()
		if want == "" && err != nil {
			t.Errorf("Validate: %v", err)
		}
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "rodney")) {
			t.Errorf("Validate: %v, want %q and no password", err, want)
		}
	}
	f(func(*postgres.Config) {}, "")
	f(func(c *postgres.Config) { c.URL = "host=localhost user=x password=hey-rodney" }, "")
	f(func(c *postgres.Config) { c.URL = "" }, "url: ")
	f(func(c *postgres.Config) { c.URL = "postgres://user:hey-rodney@local host:x/db" }, "url: ")
	f(func(c *postgres.Config) { c.URL += "?sslmode=hey-rodney" }, "url: ")
	f(func(c *postgres.Config) { c.MaxConnections = 0 }, "maxConnections: ")
	f(func(c *postgres.Config) { c.ConnectTimeout = -time.Second }, "connectTimeout: ")
	f(func(c *postgres.Config) { c.IdleTimeout = 0 }, "idleTimeout: ")
}

func TestOpenDoesNotConnect(t *testing.T) {
	// Nothing listens on port 1.
	s, err := postgres.Open(t.Context(), "postgres://user:hey-rodney@127.0.0.1:1/db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ready(t.Context()); err == nil || strings.Contains(err.Error(), "rodney") {
		t.Errorf("Ready without a server: %v, want an error without the password", err)
	}
}
