package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A book registers every device, in memory.
type book struct {
	t       *testing.T
	into    *documents
	spec    string
	err     error
	entries atomic.Int64
}

func (b *book) Register(_ context.Context, application string, chain CertificateChain) (*registry.Device, error) {
	if b.err != nil {
		return nil, b.err
	}
	b.entries.Add(1)
	request, err := FromCertificates(chain)
	if err != nil {
		return nil, err
	}
	d := device(b.t, application, "new", `{"alias":["`+request.Device+`"]`+b.spec+`}`)
	b.into.put(d)
	return d, nil
}

func TestRegisterUnknownDevices(t *testing.T) {
	ca, other := newIssuer(t, nil, "Application 1", nil), newIssuer(t, nil, "Application 1", nil)
	leaf := ca.leaf("Device 9", nil)
	wishing := func(section string) *registry.Application {
		a := trusting(t, "app1", ca)
		a.Spec[registry.SectionDeviceRegistration] = json.RawMessage(section)
		return a
	}
	f := func(what string, want outcome.Outcome, entries int64, a *registry.Application, b *book, change func(*Request)) {
		t.Helper()
		all := newDocuments(a)
		b.t, b.into = t, all
		service := NewService(DefaultServiceConfig(), all, nil)
		service.RegisterWith(b)
		request, err := FromCertificates([][]byte{leaf})
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&request)
		}
		session, err := service.Authenticate(t.Context(), request)
		expect(t, what, err, want)
		if b.entries.Load() != entries {
			t.Errorf("%s: %d devices were registered, want %d", what, b.entries.Load(), entries)
		}
		if err == nil && (session.Device.Metadata.Name != "new" || session.Until().IsZero()) {
			t.Errorf("%s: %v until %v", what, session.Device.Metadata.Name, session.Until())
		}
	}
	f("as the application wishes", outcome.Accepted, 1, wishing(`{"enabled":true}`), &book{}, nil)
	f("in a named application", outcome.Accepted, 1, wishing(`{"enabled":true}`), &book{}, func(r *Request) { r.Application = "app1" })
	f("with a proof", outcome.Accepted, 1, proving(wishing(`{"enabled":true,"requireProof":true}`), ca), &book{}, nil)
	f("without a proof", outcome.Unauthenticated, 0, wishing(`{"enabled":true,"requireProof":true}`), &book{}, nil)
	f("switched off", outcome.Unauthenticated, 0, wishing(`{"enabled":false}`), &book{}, nil)
	f("without a section", outcome.Unauthenticated, 0, trusting(t, "app1", ca), &book{}, nil)
	f("with a section that does not parse", outcome.Unauthenticated, 0, wishing(`{"enabled":1}`), &book{}, nil)
	f("disabled until somebody looks at it", outcome.Unauthenticated, 1, wishing(`{"enabled":true}`), &book{spec: `,"core":{"disabled":true}`}, nil)
	f("a renewal: the device was deleted", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{}, func(r *Request) { r.Renewal = true })
	f("a password", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{}, func(r *Request) {
		r.Application, r.Credential = "app1", Password("x")
	})
	f("somebody's word", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{}, func(r *Request) { r.Application, r.Credential = "app1", Vouched{} })
	f("another authority", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{}, func(r *Request) {
		r.Application, r.Credential = "app1", CertificateChain{other.leaf("Device 9", nil)}
	})
	f("another subject than its own", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{}, func(r *Request) { r.Device = "O=Drogue IoT, OU=Cloud, CN=Device 8" })
	f("refused", outcome.Unauthenticated, 0, wishing(`{"enabled":true}`), &book{err: ErrNotRegistered}, nil)
	f("too fast", outcome.Overloaded, 0, wishing(`{"enabled":true}`), &book{err: overloaded("")}, nil)
	f("nobody answers", outcome.Unavailable, 0, wishing(`{"enabled":true}`), &book{err: errors.New("away")}, nil)
}

func TestRegistryClient(t *testing.T) {
	const made = `{"metadata":{"name":"new","application":"app1"}}`
	token := ""
	f := func(what string, want error, attempts int64, answers ...int) {
		t.Helper()
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := int(asked.Add(1))
			var body WireRegistration
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Certificates) != 2 || r.Header.Get("Authorization") != "Bearer me" ||
				r.URL.EscapedPath() != "/api/registry/v1alpha1/apps/app1/registrations" {
				t.Errorf("%s: asked for %s with %v, %v", what, r.URL, body, err)
			}
			status := answers[min(n, len(answers))-1]
			w.WriteHeader(status)
			if status == http.StatusOK {
				_, _ = w.Write([]byte(made))
			}
		}))
		defer server.Close()
		c := NewRegistryClient(RegistryConfig{URL: server.URL, Token: token, Timeout: time.Minute}, func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer me")
			return nil
		})
		d, err := c.Register(t.Context(), "app1", CertificateChain{{1}, {2}})
		switch {
		case want == nil && (err != nil || d.Metadata.Name != "new"), want != nil && !errors.Is(err, want) && outcome.Of(err) != outcome.Of(want):
			t.Errorf("%s: %v, %v, want %v", what, d, err, want)
		case asked.Load() != attempts:
			t.Errorf("%s: %d attempts, want %d", what, asked.Load(), attempts)
		}
	}
	f("registered", nil, 1, 200)
	token = "me"
	f("with a token", nil, 1, 200)
	f("after a cold start", nil, 3, 503, 502, 200)
	f("refused", ErrNotRegistered, 1, 409)
	f("no application", ErrNotRegistered, 1, 404)
	f("too fast", overloaded(""), 1, 429)
	f("not a service", outcome.New(outcome.Unavailable, ""), 1, 403)
	f("broken", outcome.New(outcome.Unavailable, ""), 1, 500)
}

// FuzzReadRegistration has every answer be a valid device or an error.
func FuzzReadRegistration(f *testing.F) {
	f.Add(200, []byte(`{"metadata":{"name":"d","application":"app"}}`))
	f.Add(200, []byte(`{`))
	f.Add(409, []byte(``))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		d, _, err := readRegistration(status, text)
		if (d == nil) == (err == nil) || (err == nil && d.Validate() != nil) {
			t.Errorf("%d %s: %v, %v", status, text, d, err)
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), string(text)) {
			t.Error("an error quotes the answer")
		}
	})
}
