//go:build integration

package e2e

import (
	"testing"

	"github.com/fairlead/fairlead/test/functionbin"
)

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

// TestAGatewayWithoutARightIsNoGuesser has a gateway ask again and again for devices that do not accept it. Its password was right each
// time, so it is not slowed down, and its own messages are stored.
func TestAGatewayWithoutARightIsNoGuesser(t *testing.T) {
	f := func(telemetry *functionbin.Function) {
		t.Helper()
		a := newTenant(t)
		a.device("gateway", password("p"))
		a.device("stranger", `{}`)
		post := func(query string) int {
			return curl(t, []byte("1"), "-u", "gateway@"+a.name+":p", "-H", "X-Forwarded-For: 203.0.113.1", telemetry.URL()+"/v1/x"+query).status
		}
		for range 6 {
			for _, query := range []string{"?as=stranger", "?as=nobody"} {
				if got := post(query); got != 403 {
					t.Errorf("%s is answered with %d", query, got)
				}
			}
		}
		if got := post(""); got != 202 {
			t.Errorf("the gateway itself is answered with %d", got)
		}
	}
	settings := []string{"FAIRLEAD_AUTH_STEADY_FAILURES=4", "FAIRLEAD_PROXIES_TRUSTED=127.0.0.0/8"}
	f(ownTelemetry(t, settings...))
	remote, err := here.function(bounded(t), "telemetry", append(here.remoteAuthentication(), settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remote.Kill)
	f(remote)
}
