//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/test/authority"
)

// TestCoAPNamesItsApplication has two applications trust the same key, and libcoap's clients say which one they mean.
func TestCoAPNamesItsApplication(t *testing.T) {
	s := startCoAP(t)
	a, b, other := newTenant(t), newTenant(t), newTenant(t)
	devices := authority.New(t, a.name)
	spec := `{"alias":[` + quote(authority.DistinguishedName("device")) + `]}`
	for _, each := range []*tenant{a, b} {
		each.trust(devices.PEM())
		each.device("device", spec)
	}
	other.device("device", spec)
	a.device("keyed", keyed("p", "key"))
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, s.servers.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key, err := authority.WriteFiles(dir, "device", devices.Issue("device", nil))
	if err != nil {
		t.Fatal(err)
	}
	coapLibraries(t, func(t *testing.T, library string) {
		f := func(path, want string, login ...string) {
			t.Helper()
			coapClient(t, library, append(login, "-m", "post", "-e", "x", s.secure(path))...).expect(t, path, want)
		}
		chain := []string{"-c", certificate, "-j", key, "-R", ca}
		f("/v1/x", "4.03", chain...)
		f("/v1/"+library+"?application="+a.name, "2.04", chain...)
		f("/v1/"+library+"?application="+b.name, "2.04", chain...)
		f("/v1/x?application="+other.name, "4.03", chain...)
		f("/v1/x?application=nowhere", "4.03", chain...)
		f("/v1/x?application=", "4.03", chain...)
		f("/v1/x?application="+b.name, "4.03", "-u", "keyed@"+a.name, "-k", "key")
	})
	for _, each := range []*tenant{a, b} {
		stored := each.bySubject()
		for _, library := range []string{"openssl", "gnutls"} {
			if r := stored[library]; len(stored) != 2 || r.headers["ce_device"] != "device" || r.headers["ce_application"] != each.name {
				t.Errorf("%d subjects are stored; %s: %v", len(stored), library, r.headers)
			}
		}
	}
	other.empty()
}
