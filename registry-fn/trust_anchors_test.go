package registryfn

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestPossessionCodes(t *testing.T) {
	ca, other := newAuthority(t, "Application 1"), newAuthority(t, "Application 1")
	secret, now := []byte("secret of all instances, long enough"), time.Now().Truncate(time.Second)
	expires := now.Add(time.Minute)
	code := possessionCode(secret, "uid", ca.certificate, expires)
	if len(code) != 40 || strings.ToLower(code) != code {
		t.Errorf("%q does not fit into a common name", code)
	}
	f := func(what string, want error, c *x509.Certificate, at time.Time) {
		t.Helper()
		if err := checkPossession(secret, "uid", ca.certificate, c, at); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	f("right", nil, ca.issue(code), now)
	f("in its last moment", nil, ca.issue(code), expires.Add(-1))
	f("too late", errCodeExpired, ca.issue(code), expires)
	f("of another key", errNotSigned, other.issue(code), now)
	f("for another key", errOtherCode, ca.issue(possessionCode(secret, "uid", other.certificate, expires)), now)
	f("for another application", errOtherCode, ca.issue(possessionCode(secret, "other", ca.certificate, expires)), now)
	f("of another installation", errOtherCode, ca.issue(possessionCode([]byte("x"), "uid", ca.certificate, expires)), now)
	f("that somebody has made last longer", errOtherCode, ca.issue("b"+code[1:]), now)
	for _, name := range []string{"", "Device 1", code[1:], code + "a", strings.ToUpper(code), strings.Repeat("a", 40), strings.Repeat("7", 40)} {
		f(name, errOtherCode, ca.issue(name), now)
	}
}

// FuzzPossessionCode has no common name but the code taken.
func FuzzPossessionCode(f *testing.F) {
	ca := newAuthority(f, "Application 1")
	secret, now := []byte("secret"), time.Unix(1_800_000_000, 0)
	code := possessionCode(secret, "uid", ca.certificate, now.Add(time.Minute))
	f.Add(code)
	f.Add("")
	f.Add(strings.Repeat("a", 40))
	f.Fuzz(func(t *testing.T, name string) {
		certificate := *ca.certificate // is signed with its own key
		certificate.Subject.CommonName = name
		if err := checkPossession(secret, "uid", ca.certificate, &certificate, now); (err == nil) != (name == code) {
			t.Errorf("%q: %v", name, err)
		}
	})
}

// anchored is an application with trust anchors.
func anchored(name string, certificates ...string) string {
	list := make([]string, len(certificates))
	for i, c := range certificates {
		list[i] = `{"certificate":"` + c + `"}`
	}
	return `{"metadata":{"name":"` + name + `"},"spec":{"trustAnchors":{"anchors":[` + strings.Join(list, ",") + `]}}}`
}

// proven tells of each trust anchor of an application whether it is proven.
func (w *world) proven(application string) string {
	w.Helper()
	a, err := w.store.Application(w.Context(), application)
	if err != nil {
		w.Fatal(err)
	}
	anchors, _, err := registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	if err != nil {
		w.Fatal(err)
	}
	told := ""
	for _, anchor := range anchors.Anchors {
		switch {
		case anchor.Valid == nil:
			told += "x"
		case anchor.Valid.Proven == nil:
			told += "-"
		default:
			told += "+"
		}
	}
	return told
}

func TestProofOfPossession(t *testing.T) {
	w := newWorld(t)
	ca, other := newAuthority(t, "Application 1"), newAuthority(t, "Other")
	first := ca.text()
	path := app + "/trust-anchors/" + registry.Fingerprint(ca.certificate)
	ca.rename("Application 1, renewed")
	renewed := ca.text()
	w.ok("alice", "POST", apps, anchored("app-1", first, other.text(), renewed, "bm90aGluZw=="))
	w.ok("bob", "POST", apps, anchored("app-2", first))
	expect := func(what, one, two string) {
		t.Helper()
		if got := w.proven("app-1") + " " + w.proven("app-2"); got != one+" "+two {
			t.Errorf("%s: %s, want %s %s", what, got, one, two)
		}
	}
	code := func() string {
		t.Helper()
		var given possession
		if err := json.Unmarshal([]byte(w.ok("alice", "GET", path+"/code", "").body), &given); err != nil || time.Until(given.Expires) < codeLifetime/2 {
			t.Fatal(given, err)
		}
		return given.Code
	}
	proof := func(c *x509.Certificate) string { return `{"certificate":"` + textOf(c) + `"}` }
	right := proof(ca.issue(code()))

	w.as("bob", "GET", path+"/code", "").want(t, 403, "-")
	w.as("bob", "PUT", path+"/proof", right).want(t, 403, "-")
	w.as("", "PUT", path+"/proof", right).want(t, 403, "-")
	w.as("alice", "GET", app+"/trust-anchors/unknown/code", "").want(t, 404, "-")
	w.as("alice", "PUT", app+"/trust-anchors/unknown/proof", right).want(t, 404, "-")
	w.as("alice", "GET", apps+"/none/trust-anchors/x/code", "").want(t, 404, "-")
	w.as("bob", "PUT", strings.Replace(path, "app-1", "app-2", 1)+"/proof", right).want(t, 400, badRequestBody)
	w.as("alice", "PUT", path+"/proof", proof(other.issue(code()))).want(t, 400, badRequestBody)
	w.as("alice", "PUT", path+"/proof", proof(ca.issue("Device 1"))).want(t, 400, badRequestBody)
	w.as("alice", "PUT", path+"/proof", `{"certificate":"!"}`).want(t, 400, badRequestBody)
	w.as("alice", "PUT", path+"/proof", `{"certificate":"bm90aGluZw=="}`).want(t, 400, badRequestBody)
	expect("nothing is proven", "---x", "-")

	w.as("alice", "PUT", path+"/proof", right).want(t, 204, "")
	expect("a key is proven in all its certificates, of one application", "+-+x", "-")
	w.ok("alice", "PUT", app, anchored("app-1", other.text(), renewed))
	expect("what stays is proven", "-+", "-")
	w.ok("part", "PUT", app, strings.Replace(anchored("app-1", other.text(), renewed), `"spec"`, `"status":{"trustAnchors":{"anchors":[]}},"spec"`, 1))
	expect("a service cannot withdraw it", "-+", "-")
	w.ok("alice", "PATCH", app, `{"metadata":{"labels":{"a":"b"}}}`)
	expect("another change leaves it", "-+", "-")
	w.ok("alice", "PUT", app, anchored("app-1", other.text()))
	w.ok("alice", "PUT", app, anchored("app-1", first, other.text()))
	expect("what goes has to be proven anew", "--", "-")
	forged := strings.Replace(anchored("app-3", first), `"spec"`, `"status":{"trustAnchors":{"anchors":[{"valid":{"subject":"x","certificate":"`+
		first+`","notBefore":"2026-01-01T00:00:00Z","notAfter":"2026-01-01T00:00:00Z","proven":"2026-01-01T00:00:00Z"}}]}},"spec"`, 1)
	w.ok("part", "POST", apps, forged)
	if got := w.proven("app-3"); got != "-" {
		t.Errorf("a new application says itself what is proven: %s", got)
	}
}
