package authfn

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// documents is a registry of one application with a gateway and a sensor.
type documents struct{ err error }

func (d documents) Application(_ context.Context, alias string) (*registry.Application, error) {
	if d.err != nil {
		return nil, d.err
	}
	if alias != "app" {
		return nil, registry.ErrNotFound
	}
	return registry.DecodeApplication([]byte(`{"metadata":{"name":"app","uid":"a"},
		"spec":{"core":{},"downstream":{"password":"topsecret"}},"status":{"kafka":{"user":{"password":"topsecret"}}}}`))
}

func (d documents) Anchored(context.Context, string) ([]string, error) { return nil, d.err }

func (d documents) Device(_ context.Context, _, alias string) (*registry.Device, error) {
	switch alias {
	case "gateway":
		return registry.DecodeDevice([]byte(`{"metadata":{"name":"gateway","application":"app","uid":"g"},
			"spec":{"authentication":{"credentials":[{"pass":"topsecret"},{"psk":{"key":"c2VjcmV0"}}]},"other":{"kept":true}}}`))
	case "sensor":
		return registry.DecodeDevice([]byte(`{"metadata":{"name":"sensor","application":"app","uid":"s"},
			"spec":{"credentials":{"credentials":[{"pass":"topsecret"}]},"gatewaySelector":{"matchNames":["gateway"]}}}`))
	default:
		return nil, registry.ErrNotFound
	}
}

func post(h http.Handler, path, body, authorization string) (int, string) {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func handler(c Config, d documents) *Handler {
	return New(c, auth.NewService(auth.DefaultServiceConfig(), d, nil))
}

func TestAnswersAreThoseOfTheContract(t *testing.T) {
	const (
		app     = `{"metadata":{"name":"app","uid":"a"},"spec":{"core":{}}}`
		gateway = `{"metadata":{"name":"gateway","application":"app","uid":"g"},"spec":{"other":{"kept":true}}}`
		sensor  = `{"metadata":{"name":"sensor","application":"app","uid":"s"},"spec":{"gatewaySelector":{"matchNames":["gateway"]}}}`
	)
	f := func(path, body, want string) {
		t.Helper()
		status, got := post(handler(DefaultConfig(), documents{}), path, body, "")
		if status != 200 {
			t.Errorf("%s %s: %d %s", path, body, status, got)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", path, body, diff)
		}
	}
	f("/api/v1/auth", `{"application":"app","device":"gateway","credential":{"pass":"topsecret"}}`,
		`{"outcome":{"pass":{"application":`+app+`,"device":`+gateway+`}}}`)
	f("/api/v1/auth", `{"application":"app","device":"gateway","credential":{"user":{"username":"gateway","password":"topsecret"}},"as":"sensor"}`,
		`{"outcome":{"pass":{"application":`+app+`,"device":`+gateway+`,"as":`+sensor+`}}}`)
	f("/api/v1/auth", `{"application":"app","device":"gateway","credential":{"pass":"wrong"}}`, `{"outcome":"fail"}`)
	f("/api/v1/auth", `{"application":"app","device":"gateway"}`, `{"outcome":"fail"}`)
	f("/api/v1/auth", `{"application":"app","device":"gateway","credential":{"cert":[[48,130],"MIIB"]}}`, `{"outcome":"fail"}`)
	f("/api/v1/auth", `{"application":"other","device":"gateway","credential":{"pass":"topsecret"}}`, `{"outcome":"fail"}`)
	f("/api/v1/keys", `{"application":"app","device":"gateway"}`,
		`{"outcome":{"Found":{"app":`+app+`,"device":`+gateway+`,"key":{"key":"c2VjcmV0"}}}}`)
	f("/api/v1/keys", `{"application":"app","device":"sensor"}`, `{"outcome":"NotFound"}`)
	f("/api/v1/authorize_as", `{"application":"app","device":"gateway","as":"sensor"}`, `{"outcome":{"pass":{"as":`+sensor+`}}}`)
	f("/api/v1/authorize_as", `{"application":"app","device":"sensor","as":"gateway"}`, `{"outcome":"fail"}`)
}

func TestQuestionsThatCannotBeRead(t *testing.T) {
	f := func(body string) {
		t.Helper()
		if status, text := post(handler(DefaultConfig(), documents{}), auth.PathAuthenticate, body, ""); status != 400 {
			t.Errorf("%.60s: %d %s", body, status, text)
		}
	}
	f("")
	f("{")
	f("[]")
	f(`{"application":"app"}`)
	f(`{"application":"app","device":"d","credential":{}}`)
	f(`{"application":"app","device":"d","credential":{"pass":"a","user":{"username":"b","password":"c"}}}`)
	f(`{"application":"app","device":"d","credential":{"cert":[[256]]}}`)
	f(`{"application":"app","device":"d","credential":{"cert":[["x"]]}}`)
	f(strings.Repeat(" ", maxBody+1))
}

func TestNoDecisionIsNotARefusal(t *testing.T) {
	h := handler(DefaultConfig(), documents{err: errors.New("connection refused")})
	for _, path := range []string{auth.PathAuthenticate, auth.PathKeys, auth.PathAuthorizeAs} {
		status, text := post(h, path, `{"application":"app","device":"d","as":"x","credential":{"pass":"topsecret"}}`, "")
		if status != 503 || strings.Contains(text, "connection") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestToken(t *testing.T) {
	c := DefaultConfig()
	c.Token = "right"
	f := func(authorization string, want int) {
		t.Helper()
		if got, text := post(handler(c, documents{}), auth.PathKeys, `{"application":"app","device":"sensor"}`, authorization); got != want {
			t.Errorf("%q: %d %s, want %d", authorization, got, text, want)
		}
	}
	f("", 401)
	f("Basic right", 401)
	f("Bearer wrong", 403)
	f("Bearer right", 200)
	f("bEARER right", 200)
}

// callers know their callers by the token.
type callers map[string]*user.Identity

func (c callers) Authenticate(r *http.Request) (*user.Identity, error) {
	if identity, ok := c[r.Header.Get("Authorization")]; ok {
		return identity, nil
	}
	if r.Header.Get("Authorization") == "Bearer away" {
		return nil, outcome.New(outcome.Unavailable, "the identity provider cannot be reached")
	}
	return nil, outcome.New(outcome.Unauthenticated, "")
}

// With services admitted, nobody else asks: neither people nor nobody.
// TestOneAuthorization has a request with two refused, whether a token is asked for or not, and whichever comes first.
func TestOneAuthorization(t *testing.T) {
	for _, token := range []string{"", "right"} {
		h := handler(Config{Token: token, Timeout: DefaultConfig().Timeout}, documents{})
		for _, values := range [][]string{{"Bearer right", "Bearer wrong"}, {"Bearer wrong", "Bearer right"}, {"Bearer right", "Bearer right"}} {
			r := httptest.NewRequest("POST", auth.PathKeys, strings.NewReader(`{}`))
			r.Header["Authorization"] = values
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%q: %d %s", values, w.Code, w.Body)
			}
		}
	}
}

func TestServices(t *testing.T) {
	known := callers{"Bearer service": {ID: "s", Service: true}, "Bearer person": {ID: "p", Admin: true}, "Bearer ": {}}
	for _, token := range []string{"", "right"} {
		c := DefaultConfig()
		c.Token = token
		h := handler(c, documents{})
		h.AdmitServices(known)
		f := func(authorization string, want int) {
			t.Helper()
			if got, text := post(h, auth.PathKeys, `{"application":"app","device":"sensor"}`, authorization); got != want {
				t.Errorf("%q: %d %s, want %d", authorization, got, text, want)
			}
		}
		f("Bearer service", 200)
		f("Bearer person", 403)
		f("Bearer ", 403)
		f("Bearer wrong", 403)
		f("Bearer away", 503)
		f("", 401)
		f("Basic service", 401)
		f("Bearer right", map[string]int{"": 403, "right": 200}[token])
	}
}

// The client signs each request anew, so that a token may change.
func TestClientSigns(t *testing.T) {
	h := handler(DefaultConfig(), documents{})
	h.AdmitServices(callers{"Bearer service": {ID: "s", Service: true}})
	server := httptest.NewServer(h)
	defer server.Close()
	c := auth.DefaultClientConfig()
	c.URL = server.URL
	client := auth.NewClient(c)
	token, err := "wrong", error(nil)
	client.SignWith(func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return err
	})
	if _, err := client.PreSharedKey(t.Context(), "app", "gateway"); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("with a wrong token: %v", err)
	}
	token = "service"
	if _, err := client.PreSharedKey(t.Context(), "app", "gateway"); err != nil {
		t.Errorf("with the right token: %v", err)
	}
	err = outcome.New(outcome.Unavailable, "our own token cannot be had")
	if _, err := client.PreSharedKey(t.Context(), "app", "gateway"); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without a token: %v", err)
	}
}

func TestClientAndHandlerUnderstandEachOther(t *testing.T) {
	server := httptest.NewServer(handler(DefaultConfig(), documents{}))
	defer server.Close()
	c := auth.DefaultClientConfig()
	c.URL = server.URL
	client := auth.NewClient(c)

	session, err := client.Authenticate(t.Context(), auth.Request{Application: "app", Device: "gateway", Credential: auth.Password("topsecret"), As: "sensor"})
	if err != nil || session.Device.Metadata.Name != "gateway" || session.Target().Metadata.UID != "s" {
		t.Fatalf("session %v, %v", session, err)
	}
	if _, err := client.Authenticate(t.Context(), auth.Request{Application: "app", Device: "gateway", Credential: auth.CertificateChain{{48, 130}}}); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("a certificate without anchor: %v", err)
	}
	if device, err := client.AuthorizeAs(t.Context(), session, "sensor"); err != nil || device.Metadata.Name != "sensor" {
		t.Errorf("AuthorizeAs: %v, %v", device, err)
	}
	if _, err := client.AuthorizeAs(t.Context(), session, "unknown"); outcome.Of(err) != outcome.Forbidden {
		t.Errorf("AuthorizeAs of an unknown device: %v", err)
	}
	key, err := client.PreSharedKey(t.Context(), "app", "gateway")
	if err != nil || string(key.Secret) != "secret" {
		t.Errorf("PreSharedKey: %v", err)
	}
	request := auth.Request{Application: "app", Device: "gateway", Credential: key.Proof, As: "sensor"}
	for range 2 { // the second time as a renewal
		proven, err := client.Authenticate(t.Context(), request)
		if err != nil || proven.As == nil || proven.As.Metadata.Name != "sensor" {
			t.Fatalf("proven key: %v, %v", proven, err)
		}
		request = proven.Renew(request)
	}
	if renewed, err := client.Authenticate(t.Context(), session.Renew(auth.Request{Application: "app", Device: "gateway", Credential: auth.Password("topsecret")})); err != nil || renewed.Device.Metadata.UID != "g" {
		t.Errorf("renewal in place of a password: %v", err)
	}
	request.Credential = auth.Proof("another")
	if _, err := client.Authenticate(t.Context(), request); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("a proof of nothing: %v", err)
	}
}

func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{
		`{"application":"app","device":"gateway","credential":{"pass":"x"}}`,
		`{"application":"app","device":"gateway","credential":{"cert":[[1,2],"AQI="]},"as":"sensor"}`,
		`{"application":"app","device":"gateway","credential":{"user":{"username":"u","password":"p"}}}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`{"requests":[{"application":"app","device":"gateway","credential":{"proof":"eA"}}]}`))
	h := handler(DefaultConfig(), documents{})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{auth.PathAuthenticate, auth.PathAuthorizeAs, auth.PathRenewals} {
			status, text := post(h, path, string(body), "")
			if status != 200 && status != 400 {
				t.Fatalf("%s: %d", path, status)
			}
			if strings.Contains(text, "topsecret") {
				t.Fatalf("%s answers with a secret", path)
			}
		}
	})
}
