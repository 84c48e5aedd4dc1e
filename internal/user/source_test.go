package user

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func newSource(t *testing.T, c SourceConfig) *Source {
	t.Helper()
	c.Timeout = 5 * time.Second
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := NewSource(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClientCredentials(t *testing.T) {
	var asked atomic.Int64
	var lifetime atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "services" || secret != "hunter2" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "a b" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"hunter2 is wrong"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprint("t", asked.Add(1)), "token_type": "Bearer", "expires_in": lifetime.Load()})
	}))
	defer server.Close()
	config := SourceConfig{TokenURL: server.URL, ClientID: "services", ClientSecret: "hunter2", Scopes: []string{"a", "b"}}
	s := newSource(t, config)
	f := func(want string) {
		t.Helper()
		r := request("/")
		if err := s.Sign(r); err != nil || r.Header.Get("Authorization") != "Bearer "+want {
			t.Errorf("%q, %v; want %s", r.Header.Get("Authorization"), err, want)
		}
	}
	lifetime.Store(10) // less than what a token must have left
	f("t1")
	f("t2")
	lifetime.Store(300)
	f("t3")
	f("t3")

	config.ClientSecret = "hunter3"
	_, err := newSource(t, config).Token()
	if outcome.Of(err) != outcome.Unavailable || strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong secret: %v", err)
	}
	config.ClientSecret, config.ClientSecretFile = "", write(t, "secret", "hunter2\n", time.Now())
	s = newSource(t, config)
	f("t4")
	server.Close()
	f("t4")
	if _, err := newSource(t, config).Token(); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without a provider: %v", err)
	}
}

func write(t *testing.T, name, content string, changed time.Time) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, changed, changed); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTokenFile(t *testing.T) {
	now := time.Now()
	name := write(t, "token", "one\n", now)
	s := newSource(t, SourceConfig{TokenFile: name})
	f := func(want string) {
		t.Helper()
		if token, err := s.Token(); err != nil || token != want {
			t.Errorf("%q, %v; want %q", token, err, want)
		}
	}
	f("one")
	write(t, name, "two", now.Add(time.Second))
	f("two")
	write(t, name, " \n", now.Add(2*time.Second))
	if token, err := s.Token(); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("an empty file: %q, %v", token, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if token, err := s.Token(); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("no file: %q, %v", token, err)
	}
}

func TestAnonymousSource(t *testing.T) {
	r := request("/")
	if err := newSource(t, DefaultSourceConfig()).Sign(r); err != nil || r.Header.Get("Authorization") != "" {
		t.Errorf("%v, %v", r.Header, err)
	}
}
