package auth

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
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
