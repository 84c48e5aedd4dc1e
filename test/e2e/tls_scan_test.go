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

	// Those of internal/dtls.
	dtlsSuites    = []string{"ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"}
	dtlsKeySuites = []string{"PSK-AES128-CCM", "PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256", "PSK-AES256-CCM8"}
)

// A scan connects to a server again and again with OpenSSL's client, without those suites on which they have agreed before.
type scan struct {
	t       *testing.T
	address string
	key     []string // arguments for a key; none for a client without one
}

// agreed is the suite on which they agree, offered what the arguments say; "" is for none.
func (s scan) agreed(arguments ...string) string {
	all := append([]string{"s_client", "-connect", s.address, "-brief"}, arguments...)
	command := exec.CommandContext(bounded(s.t), "openssl", append(all, s.key...)...) // its input is at its end
	output, _ := command.CombinedOutput()
	_, rest, _ := strings.Cut(string(output), "Ciphersuite: ")
	suite, _, _ := strings.Cut(rest, "\n")
	return suite
}

// suites12Offered are those that OpenSSL's client can offer in TLS 1.2: those with a key, or all others. In security level 0 it refuses
// nothing by itself.
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
func suites13Offered() []string {
	return append([]string{"TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_SHA256"}, suites13...)
}

// expect checks on which of the suites that are offered the server agrees.
func (s scan) expect(what string, offered []string, offer func(suites string) []string, want []string) {
	s.t.Helper()
	var got []string
	for len(offered) > 0 {
		suite := s.agreed(offer(strings.Join(offered, ":"))...)
		i := slices.Index(offered, suite)
		if i < 0 {
			break
		}
		got, offered = append(got, suite), slices.Delete(offered, i, i+1)
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// expectNone checks that the server agrees on nothing in a version.
func (s scan) expectNone(version string) {
	s.t.Helper()
	for _, suites := range []string{"ALL:@SECLEVEL=0", "PSK:@SECLEVEL=0"} {
		if suite := s.agreed(version, "-cipher", suites); suite != "" {
			s.t.Errorf("%s with %s is spoken", version, suite)
		}
	}
}

func offer12(suites string) []string { return []string{"-tls1_2", "-cipher", suites + ":@SECLEVEL=0"} }
func offer13(suites string) []string { return []string{"-tls1_3", "-ciphersuites", suites} }
func offerDTLS(suites string) []string {
	return []string{"-dtls1_2", "-cipher", suites + ":@SECLEVEL=0"}
}

// TestVersionsAndSuites finds out which versions and which suites of those that OpenSSL has are spoken at every port with TLS or DTLS.
func TestVersionsAndSuites(t *testing.T) {
	a := newTenant(t)
	a.device("d", keyed("p", sharedKey))
	mqtt, web, coap := ownMQTT(t), startFront(t), startCoAP(t)
	key := withKey("d", sharedKey, a).opensslKey()
	for name, address := range map[string]string{"MQTT": mqtt.tls, "MQTT over WebSocket": mqtt.wss, "HTTP": web.address} {
		t.Run(name, func(t *testing.T) {
			with, without := scan{t, address, key}, scan{t, address, nil}
			for _, version := range []string{"-tls1", "-tls1_1"} {
				with.expectNone(version)
				without.expectNone(version)
			}
			without.expect("TLS 1.3", suites13Offered(), offer13, suites13)
			with.expect("TLS 1.3 with a key", suites13Offered(), offer13, keySuites13)
			without.expect("TLS 1.2", without.suites12Offered(), offer12, suites12)
			with.expect("TLS 1.2 with a key", with.suites12Offered(), offer12, keySuites12)
		})
	}
	t.Run("CoAP", func(t *testing.T) {
		address := coap.SecureAddress().String()
		with, without := scan{t, address, key}, scan{t, address, nil}
		with.expectNone("-dtls1")
		without.expectNone("-dtls1")
		without.expect("DTLS 1.2", without.suites12Offered(), offerDTLS, dtlsSuites)
		with.expect("DTLS 1.2 with a key", with.suites12Offered(), offerDTLS, dtlsKeySuites)
	})
}
