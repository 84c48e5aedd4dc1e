//go:build integration

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMQTTEveryWayToLogIn has each form of section 3.2 of the wire contract admit its device, whatever name that used.
func TestMQTTEveryWayToLogIn(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	devices(t, a)
	want := map[string]int{}
	f := func(user, secret, id, device string) {
		t.Helper()
		for _, in := range []talk{greeting.say311, greeting.say5} {
			if got, _ := g.answer(t, greeting{user: user, password: secret, id: id}, in); got.code != 0 {
				t.Errorf("%s with client id %q is answered with %#x", user, id, got.code)
			}
			want[device]++
		}
	}
	at := func(name string) string { return name + "@" + a.name }
	f(at("device1"), "foo", "anything", "device1")
	f(at("anna"), "baz", "anything", "device3")
	f(at("device4"), "qux", "device1@elsewhere", "device4")
	f("joe", "bar", at("device2"), "device2")
	f("u", "three", at("many"), "many")
	f(at("many"), "two", "x", "many")
	f(at("at%40home"), "p", "x", "at@home")
	f("device1", "foo", at("device1"), "device1")
	f(at("colon"), "a:b:c", "x", "colon")
	f(at("bcrypt"), "bar", "x", "bcrypt")
	f(at("sha512"), "baz", "x", "sha512")
	f(at("old"), "legacy", "x", "old")
	f(at("other%20name"), "p", "x", "named")
	// A connection event is stored before the client hears that it is admitted.
	got := map[string]int{}
	for _, r := range a.records() {
		if r.payload == `{"connected":true}` {
			got[r.headers["ce_device"]]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}
