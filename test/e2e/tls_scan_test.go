//go:build integration

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What a server may agree on: the suites of crypto/tls for clients with certificates or none, and those of internal/tlspsk for
// clients with keys. The server's certificate is on P-256, so that no suites for RSA are among them.
var (
	suites13 = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	suites12 = []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA",
	}
	keySuites13 = []string{"TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}
	keySuites12 = []string{
		"ECDHE-PSK-CHACHA20-POLY1305", "PSK-AES128-CCM", "PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256", "PSK-AES256-CCM", "PSK-AES256-CCM8", "PSK-AES256-GCM-SHA384",
		"PSK-CHACHA20-POLY1305",
	}
)

// A scan connects to a server again and again with OpenSSL's client, which offers one suite each time.
type scan struct {
	t       *testing.T
	address string
	key     []string // arguments for a key; none for a client without one
}

// agrees tells whether a handshake succeeds with what the arguments offer. In security level 0 the client refuses nothing by itself.
func (s scan) agrees(arguments ...string) bool {
	all := append([]string{"s_client", "-connect", s.address, "-brief"}, arguments...)
	command := exec.CommandContext(bounded(s.t), "openssl", append(all, s.key...)...) // its input is at its end
	output, _ := command.CombinedOutput()
	return strings.Contains(string(output), "CONNECTION ESTABLISHED")
}

// suites12Offered are those that OpenSSL's client can offer in TLS 1.2: those with a key, or all others.
func (s scan) suites12Offered() []string {
	s.t.Helper()
	output, err := exec.CommandContext(bounded(s.t), "openssl", "ciphers", "-s", "-psk", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(output)), ":"), func(suite string) bool {
		return strings.Contains(suite, "PSK") != (s.key != nil)
	})
}

// suites13Offered are all that there are.
var suites13Offered = append([]string{"TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_SHA256"}, suites13...)

// accepted are those of the suites on which the server agrees.
func (s scan) accepted(suites []string, offer func(suite string) []string) (list []string) {
	s.t.Helper()
	for _, suite := range suites {
		if s.agrees(offer(suite)...) {
			list = append(list, suite)
		}
	}
	slices.Sort(list)
	return list
}

func offer12(suite string) []string { return []string{"-tls1_2", "-cipher", suite + ":@SECLEVEL=0"} }
func offer13(suite string) []string { return []string{"-tls1_3", "-ciphersuites", suite} }

// TestVersionsAndSuites tries every version and every suite that OpenSSL has at every port with TLS.
func TestVersionsAndSuites(t *testing.T) {
	a := newTenant(t)
	a.device("d", keyed("p", sharedKey))
	mqtt, web := ownMQTT(t), startFront(t)
	p := withKey("d", sharedKey, a)
	key := []string{"-psk_identity", p.identity, "-psk", p.hexKey()}
	for name, address := range map[string]string{"MQTT": mqtt.tls, "MQTT over WebSocket": mqtt.wss, "HTTP": web.address} {
		t.Run(name, func(t *testing.T) {
			with, without := scan{t, address, key}, scan{t, address, nil}
			for _, version := range []string{"-tls1", "-tls1_1"} {
				for _, suites := range []string{"ALL:@SECLEVEL=0", "PSK:@SECLEVEL=0"} {
					if with.agrees(version, "-cipher", suites) || without.agrees(version, "-cipher", suites) {
						t.Errorf("%s with %s is spoken", version, suites)
					}
				}
			}
			expect := func(what string, got, want []string) {
				t.Helper()
				if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			expect("TLS 1.3", without.accepted(suites13Offered, offer13), suites13)
			expect("TLS 1.3 with a key", with.accepted(suites13Offered, offer13), keySuites13)
			expect("TLS 1.2", without.accepted(without.suites12Offered(), offer12), suites12)
			expect("TLS 1.2 with a key", with.accepted(with.suites12Offered(), offer12), keySuites12)
		})
	}
}
