package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// serve answers the nth request, from 1, and counts them.
func serve(t *testing.T, answer func(n int64, w http.ResponseWriter, r *http.Request)) (client *Client, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(requests.Add(1), w, r)
	}))
	t.Cleanup(server.Close)
	c := DefaultClientConfig()
	c.URL, c.Token = server.URL, "token"
	return NewClient(c), requests
}

const passed = `{"outcome":{"pass":{"application":{"metadata":{"name":"app1"}},"device":{"metadata":{"name":"d","application":"app1"}}}}}`

func TestClientWaitsForAColdStart(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		client, requests := serve(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				w.WriteHeader(status)
				return
			}
			_, _ = io.WriteString(w, passed)
		})
		session, err := client.Authenticate(t.Context(), login("d", "x"))
		if err != nil || requests.Load() != 3 || session.Device.Metadata.Name != "d" {
			t.Errorf("%d: %v after %d requests", status, err, requests.Load())
		}
	}
}

func TestClientWithoutDecision(t *testing.T) {
	f := func(want outcome.Outcome, requests int64, answer func(w http.ResponseWriter)) {
		t.Helper()
		client, made := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { answer(w) })
		_, err := client.Authenticate(t.Context(), login("d", "x"))
		expect(t, "answer", err, want)
		if made.Load() != requests {
			t.Errorf("%d requests, want %d", made.Load(), requests)
		}
	}
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(code) }
	}
	body := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	f(outcome.Overloaded, 1, status(http.StatusTooManyRequests))
	f(outcome.Unavailable, 1, status(http.StatusBadRequest))
	f(outcome.Unavailable, 1, status(http.StatusUnauthorized))
	f(outcome.Unavailable, 1, status(http.StatusForbidden))
	f(outcome.Unavailable, 1, status(http.StatusInternalServerError))
	f(outcome.Unavailable, 1, status(http.StatusTemporaryRedirect))
	f(outcome.Unavailable, 1, body("pass"))
	f(outcome.Unavailable, 1, body(`{"outcome":{"pass":{}}}`))
	f(outcome.Unavailable, 1, body(`{"outcome":"Fail"}`))
	f(outcome.Unavailable, 1, body(`{"outcome":"fail`+strings.Repeat(" ", maxAnswer)+`"}`))
	f(outcome.Unauthenticated, 1, body(`{"outcome":"fail"}`))
}

func TestClientGivesUpWithItsContext(t *testing.T) {
	client, _ := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := client.Authenticate(ctx, login("d", "x"))
	expect(t, "a function that does not start", err, outcome.Unavailable)
	if strings.Contains(err.Error(), "token") {
		t.Errorf("%v says the token", err)
	}

	c := DefaultClientConfig()
	c.URL, c.Timeout = "http://127.0.0.1:1", 100*time.Millisecond
	_, err = NewClient(c).Authenticate(t.Context(), login("d", "x"))
	expect(t, "nobody there", err, outcome.Unavailable)
}

func TestClientDoesNotAsk(t *testing.T) {
	client, requests := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, passed) })
	f := func(ctx context.Context, r Request) {
		t.Helper()
		_, err := client.Authenticate(ctx, r)
		expect(t, "unasked", err, outcome.Unauthenticated)
	}
	f(t.Context(), Request{Application: "app1", Device: "d"})
	f(t.Context(), login("d\xff", "x")) // JSON would make another name of it
	f(t.Context(), login("d", "\xff"))
	f(t.Context(), Request{Application: "app1", Device: "d", Credential: UserPassword{"\xff", "x"}})
	f(OnlyVerified(t.Context()), login("d", "x"))
	if requests.Load() != 0 {
		t.Errorf("%d requests", requests.Load())
	}
	if _, err := client.Authenticate(OnlyVerified(t.Context()), Request{Application: "app1", Device: "d", Credential: CertificateChain{{1}}}); err != nil {
		t.Errorf("what cannot be guessed: %v", err)
	}
}

func TestClientRequests(t *testing.T) {
	var path, body, authorization string
	client, _ := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		path, body, authorization = r.URL.Path, string(raw), r.Header.Get("Authorization")
		_, _ = io.WriteString(w, passed)
	})
	f := func(want string, r Request) {
		t.Helper()
		if _, err := client.Authenticate(t.Context(), r); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"/api/v1/auth", want, "Bearer token"}, []string{path, body, authorization}); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	f(`{"application":"a","device":"d","credential":{"pass":"p"}}`, Request{Application: "a", Device: "d", Credential: Password("p")})
	f(`{"application":"a","device":"d","credential":{"user":{"username":"u","password":"p"}},"as":"x"}`,
		Request{Application: "a", Device: "d", Credential: UserPassword{"u", "p"}, As: "x"})
	f(`{"application":"a","device":"d","credential":{"cert":[[1,255],[]]}}`, Request{Application: "a", Device: "d", Credential: CertificateChain{{1, 255}, {}}})
}

func TestNothingSecretInText(t *testing.T) {
	const secret = "geheim"
	c := DefaultClientConfig()
	c.Token = secret
	values := []any{
		Password(secret), UserPassword{"u", secret}, CertificateChain{[]byte(secret)}, Proof(secret), Vouched{}, Key{Secret: []byte(secret)}, c,
		Request{Credential: Password(secret)}, Request{Credential: UserPassword{secret, secret}},
		WireRequest{Credential: &WireCredential{Password(secret)}}, WireCredential{Password(secret)}, WireCredential{UserPassword{secret, secret}},
		refused(), overloaded("x"), undecidedInTime(errors.New("x")),
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, secret) || strings.Contains(text, "67656865696d") || strings.Contains(text, "0x67, 0x65") || strings.Contains(text, "103 101") {
				t.Errorf("%T with %s: %s", v, verb, text)
			}
		}
	}
	var bad WireCredential
	if err := json.Unmarshal([]byte(`{"pass":["`+secret+`"]}`), &bad); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("reading: %v", err)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		var got []string
		for _, err := range []error{c.Service.Validate(), c.Cache.Validate(), c.Steady.Validate(), c.Client.Validate()} {
			if err != nil {
				name, _, _ := strings.Cut(err.Error(), ":")
				got = append(got, name)
			}
		}
		if strings.Join(got, ",") != want {
			t.Errorf("errors for %q, want %q", got, want)
		}
	}
	f("", func(*Config) {})
	f("hashes", func(c *Config) { c.Service.Hashes = -1 })
	f("hashQueue", func(c *Config) { c.Service.HashQueue = 0 })
	f("hashTimeout", func(c *Config) { c.Service.HashTimeout = 0 })
	f("memory", func(c *Config) { c.Service.Memory = 0 })
	f("memoryTTL", func(c *Config) { c.Service.MemoryTTL = 0 })
	f("entries", func(c *Config) { c.Cache.Entries = 1 })
	f("ttl", func(c *Config) { c.Cache.TTL = 0 })
	f("negativeTTL", func(c *Config) { c.Cache.NegativeTTL = time.Hour })
	f("hardTTL", func(c *Config) { c.Cache.HardTTL = time.Second })
	f("staleWait", func(c *Config) { c.Cache.StaleWait = -1 })
	f("lookupTimeout", func(c *Config) { c.Cache.LookupTimeout = 0 })
	f("lookups", func(c *Config) { c.Cache.Lookups = 0 })
	f("quantum", func(c *Config) { c.Steady.Quantum = 0 })
	f("waiting", func(c *Config) { c.Steady.Waiting = 0 })
	f("free", func(c *Config) { c.Steady.Free = -1 })
	f("maxDelay", func(c *Config) { c.Steady.MaxDelay = 0 })
	f("failures", func(c *Config) { c.Steady.Failures = 3 })
	f("guarded", func(c *Config) { c.Steady.Guarded = 0 })
	f("url", func(c *Config) { c.Client.URL = "ftp://x" })
	f("url", func(c *Config) { c.Client.URL = "http://u:p@x" })
	f("timeout", func(c *Config) { c.Client.Timeout = 0 })
	f("connections", func(c *Config) { c.Client.Connections = 0 })
}

// TestClientStampsRevisions has the client take the revisions that an answer tells, which documents do not carry.
func TestClientStampsRevisions(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer, _ := Answer(&Session{
			Application: &registry.Application{Metadata: registry.Metadata{Name: "a", Revision: 7}},
			Device:      &registry.Device{Metadata: registry.Metadata{Name: "d", Revision: 8}},
		}, nil)
		answer.Notes.Header(w.Header())
		_ = json.NewEncoder(w).Encode(WireAnswer[WireOutcome]{answer})
	}))
	defer server.Close()
	c := DefaultClientConfig()
	c.URL = server.URL
	session, err := NewClient(c).Authenticate(t.Context(), Request{Application: "a", Device: "d", Credential: Password("p")})
	if err != nil {
		t.Fatal(err)
	}
	if got := [2]uint64{session.Application.Metadata.Revision, session.Device.Metadata.Revision}; got != [2]uint64{7, 8} {
		t.Errorf("revisions %v", got)
	}
}
