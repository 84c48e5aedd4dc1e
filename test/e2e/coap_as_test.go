//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/test/authority"
)

// TestCoAPForAnotherDevice has gateways that have proven themselves in a DTLS handshake speak for a device that selects them.
func TestCoAPForAnotherDevice(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	devices := authority.New(t, a.name)
	a.trust(devices.PEM())
	a.device("keyed", keyed("p", "hey-rodney"))
	a.device("certified", `{"alias":[`+quote(authority.DistinguishedName("certified"))+`]}`)
	a.device("sensor", `{"gatewaySelector":{"matchNames":["keyed","certified"]}}`)
	a.device("other", `{}`)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, s.servers.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key, err := authority.WriteFiles(dir, "device", devices.Issue("certified", nil))
	if err != nil {
		t.Fatal(err)
	}
	coapLibraries(t, func(t *testing.T, library string) {
		for sender, login := range map[string][]string{
			"keyed":     {"-u", "keyed@" + a.name, "-k", "hey-rodney"},
			"certified": {"-c", certificate, "-j", key, "-R", ca},
		} {
			send := func(as, want string) {
				t.Helper()
				coapClient(t, library, append(login, "-m", "post", "-e", "x", s.secure("/v1/"+library+"-"+sender+"?as="+as))...).expect(t, sender+" for "+as, want)
			}
			send("sensor", "2.04")
			send("other", "4.03")
			send("nobody", "4.03")
			if r := a.bySubject()[library+"-"+sender]; r.headers["ce_device"] != "sensor" || r.headers["ce_sender"] != sender {
				t.Errorf("%s: of %q, sent by %q", sender, r.headers["ce_device"], r.headers["ce_sender"])
			}
		}
	})
}
