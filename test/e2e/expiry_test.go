//go:build integration

package e2e

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// shortLife is how long a proof is good in the test of its end. It counts in seconds, and the log-in with it must be over by then.
const shortLife = 20 * time.Second

// shortProofs make, by their kind, a device and a proof of it that is good for shortLife.
func shortProofs(a *tenant) map[string]func(device string) proof {
	a.t.Helper()
	ca := newAuthority(a.t, a.name)
	a.trust(ca.pem())
	certificate := func(device string) proof {
		a.device(device, certified(device))
		return proof{certificate: ca.issue(device, time.Now().Add(shortLife))}
	}
	key := func(device string) proof {
		a.device(device, fmt.Sprintf(`{"authentication":{"credentials":[{"psk":{"key":%q,"validity":{"notBefore":"2001-01-01T00:00:00Z","notAfter":%q}}}]}}`,
			base64.StdEncoding.EncodeToString([]byte(sharedKey)), time.Now().Add(shortLife).UTC().Format(time.RFC3339)))
		return withKey(device, sharedKey, a)
	}
	return map[string]func(string) proof{"certificate": certificate, "key": key}
}

// TestSessionsEndWithTheirProof has certificates and keys end in the middle of sessions over every protocol.
func TestSessionsEndWithTheirProof(t *testing.T) {
	a := newTenant(t)
	mqtt, web, coap := ownMQTT(t), startFront(t), startCoAP(t)
	var ends []func()
	for kind, draw := range shortProofs(a) {
		for i, r := range mqtt.routes(kind) {
			c := r.mustOpen(t, draw(fmt.Sprintf("mqtt-%s-%d", kind, i)))
			ends = append(ends, func() { c.expectGone(t, "a "+kind+" ends, "+r.name) })
		}
		for i, s := range securers(kind) {
			kept := web.link(t, s, draw(fmt.Sprintf("http-%s-%d", kind, i)))
			if got := kept.post("/v1/x"); got != 202 {
				t.Fatalf("HTTP with a %s, %s: %d", kind, s.name, got)
			}
			ends = append(ends, func() {
				neighbour.Eventually(t, "a request to be refused, "+s.name, func() bool { return kept.post("/v1/x") == 403 })
			})
		}
		device := "coap-" + kind
		session := startDTLS(a, coap.secure(""), device, kind[:3], dtlsProof(draw(device))...)
		ends = append(ends, func() { session.expectEnd("a " + kind + " ends") })
	}
	for _, end := range ends {
		end()
	}
}

// dtlsProof are the arguments for OpenSSL's client with a proof.
func dtlsProof(p proof) []string {
	if p.certificate != nil {
		return p.certificate.files()
	}
	return append(p.opensslKey(), "-cipher", "PSK-AES128-GCM-SHA256")
}
