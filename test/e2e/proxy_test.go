//go:build integration

package e2e

import "testing"

// TestGuessesBehindAProxy guesses one device's password from one address behind a proxy. The device itself, at another address,
// is still admitted. Where the proxy is not configured, what it says of addresses does not count, and its own address, loopback,
// is that of nobody in particular.
func TestGuessesBehindAProxy(t *testing.T) {
	f := func(trusted string, guessed int) {
		t.Helper()
		a := newTenant(t)
		a.device("device", password("right"))
		telemetry := ownTelemetry(t, "FAIRLEAD_AUTH_STEADY_FAILURES=4", "FAIRLEAD_PROXIES_TRUSTED="+trusted)
		post := func(secret, address string) int {
			return curl(t, []byte("1"), "-u", "device@"+a.name+":"+secret, "-H", "X-Forwarded-For: "+address, telemetry.URL()+"/v1/x").status
		}
		for _, guess := range []string{"a", "b", "c", "d", "e", "f"} {
			if got := post(guess, "203.0.113.1"); got != 403 {
				t.Errorf("a guess is answered with %d", got)
			}
		}
		if got := post("right", "203.0.113.1"); got != guessed {
			t.Errorf("trusting %q: the right password, found by guessing, is answered with %d, want %d", trusted, got, guessed)
		}
		if got := post("right", "203.0.113.2"); got != 202 {
			t.Errorf("trusting %q: the device elsewhere is answered with %d", trusted, got)
		}
	}
	f("127.0.0.0/8", 403)
	f("192.0.2.0/24", 202)
}
