package user

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A cluster serves its keys over TLS, only to whom it knows.
func TestProviderThatAsksForAToken(t *testing.T) {
	i := newIssuer(t)
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hunter2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		i.Config.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	back := i.URL
	i.URL = front.URL
	defer func() { i.URL = back }()
	c := i.config()
	if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, nil))); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("with a server that nobody vouches for: %v", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	c.CAFile = write(t, "ca.pem", string(certificate), time.Now())
	if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, nil))); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without a token: %v", err)
	}
	c.TokenFile = write(t, "token", "hunter2\n", time.Now())
	if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("with a token: %v", err)
	}
	c.Issuer, c.KeysURL = "https://another.example", front.URL+"/keys"
	if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, map[string]any{"iss": c.Issuer}))); err != nil {
		t.Errorf("with keys at another host than the issuer's: %v", err)
	}
}

// What a provider answers is bounded, and it sends us nowhere else.
func TestHostileProvider(t *testing.T) {
	f := func(name string, keys http.HandlerFunc) {
		t.Helper()
		i := newIssuer(t)
		hostile := httptest.NewServer(keys)
		defer hostile.Close()
		c := i.config()
		c.KeysURL = hostile.URL
		if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, nil))); outcome.Of(err) != outcome.Unavailable {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
		if i.fetches.Load() != 0 {
			t.Errorf("%s: we went elsewhere", name)
		}
	}
	endless := bytes.Repeat([]byte(" "), 64<<10)
	f("endless keys", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(endless); err != nil {
				return
			}
		}
	})
	elsewhere := newIssuer(t)
	f("redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusFound)
	})
	if elsewhere.fetches.Load() != 0 {
		t.Error("the redirect was followed")
	}
	f("no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	f("nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func TestVerifiedIsBounded(t *testing.T) {
	v := newVerified(10)
	for n := range 100 {
		v.put(string(rune('a'+n)), entry{until: time.Now().Add(time.Hour)})
	}
	if v.len() != 10 {
		t.Errorf("%d entries, want 10", v.len())
	}
	if v.entries.Contains(v.digest("a")) || !v.entries.Contains(v.digest(string(rune('a'+99)))) {
		t.Error("the oldest entry is there, or the newest is not")
	}
}
