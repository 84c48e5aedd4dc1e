//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestTrustAnchorsOfTheSameName has another tenant register an authority with the name of the owner's, and then the owner's
// certificate itself. mosquitto_pub is the device.
func TestTrustAnchorsOfTheSameName(t *testing.T) {
	g := ownMQTT(t)
	attacker, owner := newTenant(t), newTenant(t)
	authority, impostor := newAuthority(t, owner.name), newAuthority(t, owner.name)
	attacker.trust(impostor.pem())
	owner.trust(authority.pem())
	owner.device("device", certified("device"))
	attacker.device("device", certified("device"))
	hour := time.Now().Add(time.Hour)
	f := func(what string, admitted bool, of *identity, more ...string) {
		t.Helper()
		arguments := append(of.issue("device", hour).files(), "--cafile", g.ca, "-V", "mqttv311", "-q", "1", "-t", "temp", "-m", strings.ReplaceAll(what, " ", "-"))
		if output, ok := mosquitto(t, "mosquitto_pub", g.tls, append(arguments, more...)...); ok != admitted {
			t.Errorf("%s: %v, %s", what, ok, output)
		}
	}
	f("one", true, authority)
	f("other", true, impostor) // to the attacker's own application
	attacker.trust(impostor.pem(), authority.pem())
	f("not told which", false, authority)
	f("two", true, authority, "-u", "@"+owner.name)
	f("nowhere", false, authority, "-u", "@nowhere")
	attacker.trust(impostor.pem())
	f("three", true, authority)
	owner.expectStory("the owner's device", "device", "connected", "temp: one", "disconnected", "connected", "temp: two", "disconnected", "connected", "temp: three", "disconnected")
	attacker.expectStory("the attacker's device", "device", "connected", "temp: other", "disconnected")
}
