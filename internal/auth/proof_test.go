package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// pskAt is a stored key that is valid for so long from now, from a minute ago.
func pskAt(key string, ends time.Duration) string {
	now := time.Now()
	return fmt.Sprintf(`{"psk":{"key":%q,"validity":{"notBefore":%q,"notAfter":%q}}}`, base64.StdEncoding.EncodeToString([]byte(key)),
		now.Add(-time.Minute).Format(time.RFC3339), now.Add(ends).Format(time.RFC3339))
}

func pskEntry(key string) string {
	return fmt.Sprintf(`{"psk":{"key":%q}}`, base64.StdEncoding.EncodeToString([]byte(key)))
}

func credentials(list ...string) string {
	return `{"authentication":{"credentials":[` + strings.Join(list, ",") + `]}}`
}

// TestProofHoldsAsLongAsItsCredential changes what is stored of a device that has proven something.
func TestProofHoldsAsLongAsItsCredential(t *testing.T) {
	const pass = `{"pass":"secret"}`
	user := func(name string) string { return `{"user":{"username":"` + name + `","password":"secret"}}` }
	hashed := `{"pass":{"bcrypt":"` + bcryptBar + `"}}`
	f := func(what, before string, present Credential, after string, want bool) {
		t.Helper()
		books := newDocuments(application(t, "app1", ""), device(t, "app1", "d", before))
		service := NewService(DefaultServiceConfig(), books, nil)
		r := Request{Application: "app1", Device: "d", Credential: present}
		if present == nil {
			key, err := service.PreSharedKey(t.Context(), "app1", "d")
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			r.Credential = key.Proof
		}
		session, err := service.Authenticate(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		books.put(device(t, "app1", "d", after))
		_, err = service.Authenticate(t.Context(), session.Renew(r))
		if got := err == nil; got != want || (!got && outcome.Of(err) != outcome.Unauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f("the same password", credentials(pass), Password("secret"), credentials(`{"pass":"other"}`, pass), true)
	f("another password", credentials(pass), Password("secret"), credentials(`{"pass":"other"}`), false)
	f("no credentials", credentials(pass), Password("secret"), "", false)
	f("disabled", credentials(pass), Password("secret"), `{"core":{"disabled":true},"authentication":{"credentials":[`+pass+`]}}`, false)
	f("the same password, now hashed", credentials(pass), Password("secret"), credentials(`{"pass":{"bcrypt":"x"}}`), false)
	f("the same hash", credentials(hashed), Password("bar"), credentials(pass, hashed), true)
	f("another hash", credentials(hashed), Password("bar"), credentials(`{"pass":{"sha512":"`+sha512Baz+`"}}`), false)
	f("the same user", credentials(user("u")), UserPassword{"u", "secret"}, credentials(user("u")), true)
	f("another user with the same password", credentials(user("u")), UserPassword{"u", "secret"}, credentials(user("v")), false)
	f("a password in place of the user", credentials(user("u")), UserPassword{"u", "secret"}, credentials(pass), false)
	f("one of two", credentials(pass, `{"pass":"second"}`), Password("second"), credentials(pass), false)
	f("the other of two", credentials(pass, `{"pass":"second"}`), Password("second"), credentials(`{"pass":"second"}`), true)

	f("the same key", credentials(pskEntry("a")), nil, credentials(pass, pskEntry("b"), pskEntry("a")), true)
	f("another key", credentials(pskEntry("a")), nil, credentials(pskEntry("b")), false)
	f("no key", credentials(pskEntry("a")), nil, credentials(pass), false)
	f("a password that is the key", credentials(pskEntry("secret")), nil, credentials(pass), false)
	f("the key with an end", credentials(pskEntry("a")), nil, credentials(pskAt("a", time.Hour)), true)
	f("the key that has ended", credentials(pskEntry("a")), nil, credentials(pskAt("a", -time.Second)), false)
	f("the key that ends later beside a newer one", credentials(pskAt("a", time.Hour)), nil, credentials(pskAt("b", 2*time.Hour), pskAt("a", time.Hour)), true)
}

func TestProofOfAKeyEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newTestService(t, application(t, "app1", ""), device(t, "app1", "d", credentials(pskAt("a", time.Hour))))
		key, err := service.PreSharedKey(t.Context(), "app1", "d")
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Application: "app1", Device: "d", Credential: key.Proof}
		session, err := service.Authenticate(t.Context(), r)
		if err != nil || time.Until(session.Until()).Round(time.Second) != time.Hour {
			t.Fatalf("%v, until %v", err, session.Until())
		}
		time.Sleep(time.Hour + time.Second)
		_, err = service.Authenticate(t.Context(), session.Renew(r))
		expect(t, "after its end", err, outcome.Unauthenticated)
	})
}

// TestProofsAreOfOneDevice has two devices with the same password, and services with and without a common secret.
func TestProofsAreOfOneDevice(t *testing.T) {
	books := newDocuments(application(t, "app1", ""), application(t, "app2", ""),
		device(t, "app1", "d", credentials(`{"pass":"x"}`)), device(t, "app1", "e", credentials(`{"pass":"x"}`)), device(t, "app2", "d", credentials(`{"pass":"x"}`)))
	shared := func(context.Context) ([]byte, error) { return make([]byte, 32), nil }
	one, other, stranger := NewService(DefaultServiceConfig(), books, nil), NewService(DefaultServiceConfig(), books, nil), NewService(DefaultServiceConfig(), books, nil)
	one.ShareProofs(shared)
	other.ShareProofs(shared)
	session, err := one.Authenticate(t.Context(), login("d", "x"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, s *Service, r Request, want outcome.Outcome) {
		t.Helper()
		r.Credential = session.Proof()
		_, err := s.Authenticate(t.Context(), r)
		expect(t, what, err, want)
	}
	f("the same device elsewhere", other, login("d", ""), outcome.Accepted)
	f("another device", one, login("e", ""), outcome.Unauthenticated)
	f("the same name in another application", one, Request{Application: "app2", Device: "d"}, outcome.Unauthenticated)
	f("another secret", stranger, login("d", ""), outcome.Unauthenticated)
	if _, err := one.Authenticate(t.Context(), Request{Application: "app1", Device: "d", Credential: Proof("")}); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("no proof: %v", err)
	}
}

// TestWithoutTheSecretOfProofs admits passwords, but nobody can say what a proof is worth.
func TestWithoutTheSecretOfProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newTestService(t, application(t, "app1", ""), device(t, "app1", "d", credentials(`{"pass":"x"}`, pskEntry("a"))))
		away := true
		service.ShareProofs(func(context.Context) ([]byte, error) {
			if away {
				return nil, errors.New("away")
			}
			return make([]byte, 32), nil
		})
		session, err := service.Authenticate(t.Context(), login("d", "x"))
		if err != nil || session.Proof() != "" {
			t.Errorf("password: %v, %q", err, session.Proof())
		}
		_, err = service.PreSharedKey(t.Context(), "app1", "d")
		expect(t, "key", err, outcome.Unavailable)
		_, err = service.Authenticate(t.Context(), Request{Application: "app1", Device: "d", Credential: Proof("x")})
		expect(t, "proof", err, outcome.Unavailable)
		away = false
		time.Sleep(secretPause)
		if session, err = service.Authenticate(t.Context(), login("d", "x")); err != nil || session.Proof() == "" {
			t.Errorf("password, later: %v", err)
		}
	})
}

// TestKeysOfFunctionsWithoutProofs has the client judge itself whether a key is the one that was proven.
func TestKeysOfFunctionsWithoutProofs(t *testing.T) {
	key := "c2VjcmV0"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"outcome":{"Found":{"app":{"metadata":{"name":"a"}},"device":{"metadata":{"name":"d"}},"key":{"key":%q}}}}`, key)
	}))
	defer server.Close()
	c := DefaultClientConfig()
	c.URL = server.URL
	client := NewClient(c)
	found, err := client.PreSharedKey(t.Context(), "a", "d")
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Application: "a", Device: "d", Credential: found.Proof}
	for range 2 {
		session, err := client.Authenticate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r = session.Renew(r)
	}
	key = "YW5vdGhlcg=="
	_, err = client.Authenticate(t.Context(), r)
	expect(t, "another key", err, outcome.Unauthenticated)
}

func FuzzProof(f *testing.F) {
	f.Add("", "")
	f.Add("AAAA", `{"pass":"x"}`)
	f.Fuzz(func(t *testing.T, text, spec string) {
		p, err := parseProof(text)
		if err != nil {
			return
		}
		d := &registry.Device{Spec: registry.Sections{registry.SectionAuthentication: []byte(`{"credentials":[` + spec + `]}`)}}
		if _, ok := judgeProof(make([]byte, secretBytes), &registry.Application{}, d, p, time.Now()); ok {
			t.Errorf("%q is admitted", text)
		}
	})
}
