package cloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A provider is an OpenID provider that does as it is told.
type provider struct {
	*httptest.Server
	tokens atomic.Int64
	answer func(w http.ResponseWriter, form url.Values) // of the token endpoint
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token"})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		p.tokens.Add(1)
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		p.answer(w, r.Form)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// browser logs in with a function in the place of the browser and of the person before it.
func (p *provider) browser(t *testing.T, visit func(redirect string, query url.Values)) (*Login, error) {
	t.Helper()
	flow := LoginFlow{Issuer: p.URL, ClientID: "drogue", Show: func(address, _ string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			return
		}
		visit(u.Query().Get("redirect_uri"), u.Query())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return flow.Browser(ctx)
}

func get(t *testing.T, address string, query url.Values) int {
	t.Helper()
	response, err := http.Get(address + "?" + query.Encode())
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestBrowserTakesOnlyItsOwnAnswer(t *testing.T) {
	p := newProvider(t)
	p.answer = func(w http.ResponseWriter, form url.Values) {
		if form.Get("code") != "right" || form.Get("code_verifier") == "" || form.Get("client_id") != "drogue" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"t","refresh_token":"r","expires_in":60,"token_type":"Bearer"}`))
	}
	login, err := p.browser(t, func(redirect string, query url.Values) {
		if query.Get("code_challenge_method") != "S256" || query.Get("state") == "" || !strings.HasPrefix(redirect, "http://127.0.0.1:") {
			t.Errorf("the request is %v", query)
		}
		state := query.Get("state")
		for _, wrong := range []struct {
			path  string
			query url.Values
		}{
			{"", url.Values{"code": {"wrong"}}},
			{"", url.Values{"code": {"wrong"}, "state": {"x"}}},
			{"/elsewhere", url.Values{"code": {"wrong"}, "state": {state}}},
		} {
			if status := get(t, redirect+wrong.path, wrong.query); status != http.StatusNotFound {
				t.Errorf("%v: %d", wrong, status)
			}
		}
		if response, err := http.PostForm(redirect+"?state="+state+"&code=wrong", nil); err != nil || response.StatusCode != http.StatusNotFound {
			t.Errorf("a form of another page: %v", err)
		}
		get(t, redirect, url.Values{"code": {"right"}, "state": {state}})
		get(t, redirect, url.Values{"code": {"wrong"}, "state": {state}})
	})
	if err != nil || login.Token != "t" || login.RefreshToken != "r" || login.TokenURL != p.URL+"/token" || time.Until(login.Expires) <= 0 {
		t.Errorf("%+v, %v", login, err)
	}
}

func TestBrowserIsRefused(t *testing.T) {
	p := newProvider(t)
	p.answer = func(w http.ResponseWriter, _ url.Values) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"the code has expired"}`))
	}
	f := func(query url.Values, want string) {
		t.Helper()
		_, err := p.browser(t, func(redirect string, asked url.Values) {
			query.Set("state", asked.Get("state"))
			get(t, redirect, query)
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", query, err, want)
		}
	}
	f(url.Values{"error": {"access_denied"}}, "access_denied")
	f(url.Values{"error": {"access_denied"}, "error_description": {"not today"}}, "not today")
	f(url.Values{}, "does not say why")
	f(url.Values{"code": {"x"}}, "the code has expired")
	ctx, cancel := context.WithCancel(t.Context())
	flow := LoginFlow{Issuer: p.URL, ClientID: "drogue", Show: func(string, string) { cancel() }}
	if _, err := flow.Browser(ctx); err == nil || !strings.Contains(err.Error(), "nobody logged in") {
		t.Error(err)
	}
	if _, err := flow.Device(t.Context()); err == nil || !strings.Contains(err.Error(), "no log-in with a code") {
		t.Error(err)
	}
	flow.Issuer = p.URL + "/other"
	if _, err := flow.Browser(t.Context()); err == nil || !strings.Contains(err.Error(), flow.Issuer) {
		t.Error(err)
	}
}

// session writes a context with a log-in that has ended, and opens it.
func session(t *testing.T, p *provider) (*Session, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contexts.yaml")
	contexts, err := LoadContexts(path)
	if err != nil {
		t.Fatal(err)
	}
	login := &Login{ClientID: "drogue", TokenURL: p.URL + "/token", Token: "old", Expires: time.Unix(1e9, 0), RefreshToken: "r0"}
	if err := contexts.Put("c", &Context{URL: "https://api.example", Login: login}); err != nil {
		t.Fatal(err)
	}
	if err := contexts.Save(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

func TestRefresh(t *testing.T) {
	p := newProvider(t)
	p.answer = func(w http.ResponseWriter, form url.Values) {
		if form.Get("refresh_token") != "r0" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"new","refresh_token":"r1","expires_in":600,"token_type":"Bearer"}`))
	}
	s, path := session(t, p)
	other, err := Open(path, "c")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Session{s, s, other} { // the other one finds in the file what the first has fetched
		if token, err := s.Token(t.Context()); err != nil || token != "new" {
			t.Errorf("%q, %v", token, err)
		}
	}
	if n := p.tokens.Load(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	contexts, err := LoadContexts(path)
	if err != nil || contexts.All["c"].Login.RefreshToken != "r1" {
		t.Errorf("%v, %v", contexts, err)
	}
}

func TestRefreshIsRefused(t *testing.T) {
	p := newProvider(t)
	p.answer = func(w http.ResponseWriter, _ url.Values) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	}
	s, path := session(t, p)
	if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Error(err)
	}
	p.Close()
	if _, err := s.Token(t.Context()); err == nil || strings.Contains(err.Error(), "log in again") || strings.Contains(err.Error(), "r0") {
		t.Errorf("a provider that is away ends the log-in: %v", err)
	}
	if err := os.WriteFile(path, []byte("current: c\ncontexts: {c: {url: 'https://api.example'}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "not logged in") {
		t.Error(err)
	}
}
