package auth

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// TestTrustAnchorsAreKeys has another tenant register what bears the names of an owner's authorities. Nobody can keep the owner's
// devices out with it, or get in.
func TestTrustAnchorsAreKeys(t *testing.T) {
	ca := newIssuer(t, nil, "Application 1", nil)
	middle := newIssuer(t, ca, "Intermediate", nil)
	sameSubject := newIssuer(t, nil, "Application 1", nil)
	sameMiddle := newIssuer(t, nil, "Intermediate", nil)
	const device1 = `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`
	documents := []any{
		trusting(t, "aa-impostor", sameSubject, sameMiddle), trusting(t, "owner", ca),
		device(t, "aa-impostor", "device1", device1), device(t, "owner", "device1", device1),
	}
	for n := range 20 {
		documents = append(documents, trusting(t, fmt.Sprintf("ab-impostor-%d", n), newIssuer(t, nil, "Application 1", nil)))
	}
	service := newTestService(t, documents...)
	f := func(what, want string, chain ...[]byte) {
		t.Helper()
		request, err := FromCertificates(chain)
		if err != nil {
			t.Fatal(err)
		}
		session, err := service.Authenticate(t.Context(), request)
		switch {
		case want == "":
			expect(t, what, err, outcome.Unauthenticated)
		case err != nil || session.Application.Metadata.Name != want:
			t.Errorf("%s: %v, want an admission to %s", what, err, want)
		}
	}
	f("the owner's device", "owner", ca.leaf("Device 1", nil))
	f("through an intermediate whose name another tenant has", "owner", middle.leaf("Device 1", nil), middle.certificate.Raw)
	f("the other tenant's device, in the other tenant's application", "aa-impostor", sameSubject.leaf("Device 1", nil))
	f("the other tenant's device, with the owner's certificate", "aa-impostor", sameSubject.leaf("Device 1", nil), ca.certificate.Raw)
	f("nobody's key", "", newIssuer(t, nil, "Application 1", nil).leaf("Device 1", nil))
}

// TestOneKeyInTwoApplications has a client name its application, as it has to.
func TestOneKeyInTwoApplications(t *testing.T) {
	ca := newIssuer(t, nil, "Application 1", nil)
	const device1 = `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`
	service := newTestService(t,
		trusting(t, "app1", ca), trusting(t, "app2", ca), application(t, "app3", ""),
		device(t, "app1", "device1", device1), device(t, "app2", "device1", device1), device(t, "app3", "device1", device1),
	)
	chain := [][]byte{ca.leaf("Device 1", nil)}
	f := func(username, want string) {
		t.Helper()
		request, err := FromMQTT(MQTTLogin{HasUsername: username != "", Username: username, Chain: chain})
		if err == nil {
			var session *Session
			if session, err = service.Authenticate(t.Context(), request); err == nil && session.Application.Metadata.Name == want {
				return
			}
		}
		if want != "" || outcome.Of(err) != outcome.Unauthenticated {
			t.Errorf("user name %q: %v, want %q", username, err, want)
		}
	}
	f("", "")
	f("@app1", "app1")
	f("@app2", "app2")
	f("@app3", "") // trusts nobody
	f("@nowhere", "")
	f("app1", "")
	f("device1@app1", "")
	f("@O=Drogue IoT, OU=Cloud, CN=Application 1", "")
	if _, err := FromMQTT(MQTTLogin{HasUsername: true, Username: "@app1"}); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("an application without a certificate: %v", err)
	}
}

// proving is an application whose owner has shown to have the key of an anchor.
func proving(a *registry.Application, anchor *issuer) *registry.Application {
	anchors, _, _ := registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	anchors.Prove(anchor.certificate, time.Now())
	a.Status[registry.SectionTrustAnchors], _ = json.Marshal(anchors)
	return a
}

// TestProvenKeyDecides has a client name no application although several trust the key that issued its certificate.
func TestProvenKeyDecides(t *testing.T) {
	ca, other := newIssuer(t, nil, "Application 1", nil), newIssuer(t, nil, "Application 2", nil)
	middle := newIssuer(t, ca, "Intermediate", nil)
	const device1 = `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`
	direct, long := [][]byte{ca.leaf("Device 1", nil)}, [][]byte{middle.leaf("Device 1", nil), middle.certificate.Raw}
	f := func(what, want string, chain [][]byte, applications ...*registry.Application) {
		t.Helper()
		var documents []any
		for _, a := range applications {
			documents = append(documents, a, device(t, a.Metadata.Name, "device1", device1))
		}
		request, err := FromCertificates(chain)
		if err != nil {
			t.Fatal(err)
		}
		session, err := newTestService(t, documents...).Authenticate(t.Context(), request)
		if want == "" {
			expect(t, what, err, outcome.Unauthenticated)
		} else if err != nil || session.Application.Metadata.Name != want {
			t.Errorf("%s: %v, want an admission to %s", what, err, want)
		}
	}
	one := func() *registry.Application { return trusting(t, "app1", ca, other) }
	two := func() *registry.Application { return trusting(t, "app2", ca) }
	three := func() *registry.Application { return trusting(t, "app3", middle) }
	f("nobody has proven the key", "", direct, one(), two())
	f("the first has", "app1", direct, proving(one(), ca), two())
	f("the second has", "app2", direct, one(), proving(two(), ca))
	f("both have", "", direct, proving(one(), ca), proving(two(), ca))
	f("the first has proven another key", "", direct, proving(one(), other), two())
	f("it is the only one", "app2", direct, two())
	f("one trusts the intermediate, and has not proven its key", "app1", long, proving(one(), ca), three())
	f("one trusts the intermediate, and has proven its key", "app3", long, one(), proving(three(), middle))
	f("both have proven theirs", "", long, proving(one(), ca), proving(three(), middle))
	disabled := proving(one(), ca)
	disabled.Spec[registry.SectionCore] = json.RawMessage(`{"disabled":true}`)
	f("the one that has is disabled", "", direct, disabled, two())
	unproven := one()
	unproven.Spec[registry.SectionCore] = json.RawMessage(`{"disabled":true}`)
	f("one that has not is disabled", "app2", direct, unproven, two())
	f("the only one is disabled", "", direct, unproven)
}
