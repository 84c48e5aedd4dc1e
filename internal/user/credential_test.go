package user

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
)

func basic(user, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

func request(target string, authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

func TestFromHTTP(t *testing.T) {
	f := func(r *http.Request, want Credential) {
		t.Helper()
		if got, err := FromHTTP(r); err != nil || got != want {
			t.Errorf("%s %q: %#v, %v; want %#v", r.URL, r.Header, got, err, want)
		}
	}
	f(request("/"), nil)
	f(request("/?labels=a&username=ada"), nil)
	f(request("/", "Bearer a.b.c"), Bearer("a.b.c"))
	f(request("/", "bearer  a.b-_~+/="), Bearer("a.b-_~+/="))
	f(request("/?token=a.b.c"), Bearer("a.b.c"))
	f(request("/", basic("ada", vector)), AccessToken{"ada", vector})
	f(request("/", basic("ada", "x:y")), AccessToken{"ada", "x:y"})
	f(request("/?username=ada%40b&api_key="+vector), AccessToken{"ada@b", vector})

	refuse := func(r *http.Request, want outcome.Outcome, why reason) {
		t.Helper()
		if got, err := FromHTTP(r); got != nil || outcome.Of(err) != want || reasonOf(err) != why {
			t.Errorf("%s %q: %#v, %v; want %s, %s", r.URL, r.Header, got, err, want, why)
		}
	}
	bearer, key := "Bearer a.b.c", basic("ada", vector)
	refuse(request("/", bearer, key), outcome.Unauthenticated, errSeveral)
	refuse(request("/", bearer, bearer), outcome.Unauthenticated, errSeveral)
	refuse(request("/?token=a", bearer), outcome.Unauthenticated, errSeveral)
	refuse(request("/?token=a&token=a"), outcome.Unauthenticated, errSeveral)
	refuse(request("/?token=a&username=u&api_key=b"), outcome.Unauthenticated, errSeveral)
	refuse(request("/?username=u&api_key=b", key), outcome.Unauthenticated, errSeveral)
	refuse(request("/?token=", bearer), outcome.Unauthenticated, errSeveral)

	refuse(request("/", ""), outcome.Unauthenticated, errScheme)
	refuse(request("/", "Digest x"), outcome.Unauthenticated, errScheme)
	refuse(request("/", "Bearer"), outcome.Unauthenticated, errMalformed)
	refuse(request("/", "Bearer a b"), outcome.Unauthenticated, errMalformed)
	refuse(request("/", "Bearer ä"), outcome.Unauthenticated, errMalformed)
	refuse(request("/", "Bearer "+strings.Repeat("a", maxCredential)), outcome.Unauthenticated, errMalformed)
	refuse(request("/", "Basic !!"), outcome.Unauthenticated, errMalformed)
	refuse(request("/", "Basic "+base64.StdEncoding.EncodeToString([]byte("ada"))), outcome.Unauthenticated, errMalformed)
	refuse(request("/", basic("", vector)), outcome.Unauthenticated, errMalformed)
	refuse(request("/", basic("\xff", vector)), outcome.Unauthenticated, errMalformed)
	refuse(request("/?token="), outcome.Unauthenticated, errMalformed)
	refuse(request("/?api_key="+vector), outcome.Unauthenticated, errMalformed)
	refuse(request("/?api_key="+vector+"&username=a&username=b"), outcome.Unauthenticated, errMalformed)
	refuse(request("/?token=%zz"), outcome.Invalid, "")
	refuse(request("/?a=1;token=x"), outcome.Invalid, "")
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	for _, c := range []Credential{Bearer("hunter2"), AccessToken{"ada", "hunter2"}} {
		if text := fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c); strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
}

func FuzzFromHTTP(f *testing.F) {
	f.Add("Bearer a.b.c", "")
	f.Add(basic("ada", vector), "labels=a")
	f.Add("", "token=a.b.c")
	f.Add("", "username=ada&api_key="+vector)
	f.Add("Basic Og==", "api_key=&username=%zz")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		c, err := FromHTTP(r)
		switch o := outcome.Of(err); {
		case err != nil && (c != nil || (o != outcome.Unauthenticated && o != outcome.Invalid)):
			t.Errorf("%v with %v", c, err)
		case err == nil && c == nil && header != "":
			t.Error("a header is taken for none")
		}
		switch c := c.(type) {
		case Bearer:
			if c == "" || len(c) > maxCredential {
				t.Errorf("a token of %d bytes", len(c))
			}
		case AccessToken:
			if c.User == "" || len(c.User) > maxUser || len(c.Secret) > maxSecret {
				t.Errorf("a user of %d bytes, a secret of %d", len(c.User), len(c.Secret))
			}
		}
	})
}
