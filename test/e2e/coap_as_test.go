//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/test/authority"
)

// TestCoAPForAnotherDevice has gateways speak for themselves and for a device that selects them. They have proven themselves in a DTLS
// handshake, or do so in each request.
func TestCoAPForAnotherDevice(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	devices := authority.New(t, a.name)
	a.trust(devices.PEM())
	a.device("keyed", keyed("p", "hey-rodney"))
	a.device("certified", `{"alias":[`+quote(authority.DistinguishedName("certified"))+`]}`)
	a.device("named", password("p"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["keyed","certified","named"]}}`)
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
			"named":     append(authorization("named@"+a.name, "p"), "-R", ca),
		} {
			send := func(channel, query, want string) {
				t.Helper()
				coapClient(t, library, append(login, "-m", "post", "-e", "x", s.secure("/v1/"+channel+query))...).expect(t, sender+query, want)
			}
			own, other := library+"-"+sender, library+"-"+sender+"-as"
			send(own, "", "2.04")
			send(other, "?as=sensor", "2.04")
			send("x", "?as=other", "4.03")
			send("x", "?as=nobody", "4.03")
			stored := a.speakers()
			if stored[own] != (speaker{sender, sender}) || stored[other] != (speaker{"sensor", sender}) {
				t.Errorf("%s: %+v and %+v", sender, stored[own], stored[other])
			}
		}
	})
}
