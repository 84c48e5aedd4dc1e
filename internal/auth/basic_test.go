package auth

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
)

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestFromHTTP(t *testing.T) {
	f := func(authorization, application, device string, want Request) {
		t.Helper()
		got, err := FromHTTP(authorization, application, device)
		if err != nil {
			t.Errorf("FromHTTP(%q, %q, %q): %v", authorization, application, device, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("FromHTTP(%q, %q, %q) (-want +got):\n%s", authorization, application, device, diff)
		}
	}
	password := func(application, device, password string) Request {
		return Request{Application: application, Device: device, Credential: Password(password)}
	}
	user := func(application, device, user, password string) Request {
		return Request{Application: application, Device: device, Credential: UserPassword{user, password}}
	}

	// The rows of the matrix.
	f(basic("d@a:p"), "", "", password("a", "d", "p"))
	f(basic("u:p"), "a", "", password("a", "u", "p"))
	f(basic("u@x:p"), "a", "", password("a", "u@x", "p"))
	f(basic("u:p"), "a", "d", user("a", "d", "u", "p"))
	f(basic("u@x:p"), "a", "d", user("a", "d", "u@x", "p"))
	f(basic("u@a:p"), "", "d", user("a", "d", "u", "p"))

	// Vectors of RFC 7617 and of the wire contract.
	f("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "a", "", password("a", "Aladdin", "open sesame"))
	f("Basic Zm9vQGJhcjpiYXo=", "", "", password("bar", "foo", "baz"))
	f("Basic Zm9vQGJhcjpiYXo", "", "", password("bar", "foo", "baz"))
	f("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "a", "", password("a", "Aladdin", "open sesame"))

	// First "@", first colon, percent-decoding on the left only.
	f(basic("d@a@b:p"), "", "", password("a@b", "d", "p"))
	f(basic("d@a:p:q"), "", "", password("a", "d", "p:q"))
	f(basic("d@a:"), "", "", password("a", "d", ""))
	f(basic("device%402@a:p%20"), "", "", password("a", "device@2", "p%20"))
	f(basic("d@O=x%2C:p"), "", "", password("O=x%2C", "d", "p"))
	f(basic("O=Drogue IoT, CN=x@a:p"), "", "", password("a", "O=Drogue IoT, CN=x", "p"))
	f(basic("50%@a:p"), "", "", password("a", "50%", "p"))
	f(basic("%zz%4@a:p"), "", "", password("a", "%zz%4", "p"))
	f(basic("%c3%BC@a:ü"), "", "", password("a", "ü", "ü"))
	f(basic("@:"), "", "", password("", "", ""))
}

func TestFromHTTPComparesTheSchemeWithoutCase(t *testing.T) {
	want := Request{Application: "a", Device: "d", Credential: Password("p")}
	for _, authorization := range []string{"Basic ZEBhOnA=", "basic ZEBhOnA=", "BASIC ZEBhOnA=", "bAsIc  ZEBhOnA"} {
		if got, err := FromHTTP(authorization, "", ""); err != nil || got != want {
			t.Errorf("FromHTTP(%q) = %v, %v", authorization, got, err)
		}
	}
}

func TestFromHTTPRefuses(t *testing.T) {
	f := func(authorization, application, device string) {
		t.Helper()
		got, err := FromHTTP(authorization, application, device)
		if outcome.Of(err) != outcome.Unauthenticated || got != (Request{}) {
			t.Errorf("FromHTTP(%q, %q, %q) = %v, %v, want a refusal", authorization, application, device, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "p") {
			t.Errorf("the error %q says more than that", err)
		}
	}
	f("", "", "")
	f("", "a", "d")
	f("Basic", "a", "d")
	f("Basic ", "a", "d")
	f("Basic 1234", "a", "d")     // not UTF-8
	f("Basic Zm9vYmFy", "a", "d") // no colon
	f("Foo Bar", "a", "d")
	f("FooBarBaz", "a", "d")
	f("Bearer mF_9.B5f-4.1JqM", "a", "d")
	f("Basic\tZEBhOnA=", "", "")
	f(" Basic ZEBhOnA=", "", "")
	f("Basics ZEBhOnA=", "", "")
	f("Basic ZEBhOnA= ", "", "")
	f("Basic ZEBh\nOnA=", "", "")
	f("Basic ZEBh=OnA", "", "")
	f("Basic Zm9vQGJhcjpiYXp=", "", "")            // bits left over
	f("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=", "", "") // half of the padding
	f("Basic ZEBhOnA_", "", "")                    // the other alphabet
	f(basic("d:p"), "", "")                        // no application anywhere
	f(basic("u:p"), "", "d")
	f(basic("%ff@a:p"), "", "") // not UTF-8 once decoded
	f(basic("d@a:"+strings.Repeat("x", MaxAuthorization)), "", "")
}

func FuzzFromHTTP(f *testing.F) {
	for _, seed := range []string{basic("d@a:p"), basic("u:p"), "Basic ", "Bearer x", basic("%40%zz@:"), basic("\xff:"), "Basic ZEBhOnA", "BAsic ZEBhOnA"} {
		f.Add(seed, "", "")
		f.Add(seed, "a", "")
		f.Add(seed, "a", "d")
		f.Add(seed, "", "d")
	}
	f.Fuzz(func(t *testing.T, authorization, application, device string) {
		request, err := FromHTTP(authorization, application, device)
		if err != nil {
			if outcome.Of(err) != outcome.Unauthenticated {
				t.Fatalf("outcome %v", outcome.Of(err))
			}
			return
		}
		if scheme, _, _ := strings.Cut(authorization, " "); len(authorization) > MaxAuthorization || !strings.EqualFold(scheme, "Basic") {
			t.Fatalf("%q was accepted", authorization)
		}
		if _, isUser := request.Credential.(UserPassword); isUser != (device != "") {
			t.Fatalf("device %q in the query made a %v", device, request.Credential)
		}
		if application != "" && request.Application != application || device != "" && request.Device != device {
			t.Fatalf("the query %q, %q became %q, %q", application, device, request.Application, request.Device)
		}
	})
}
