package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/test/authority"
)

// TestAssertedClients has devices log in with what a gateway says that they have proven, and with nothing beside it.
func TestAssertedClients(t *testing.T) {
	config := assertion.Config{Keys: []string{"a key for tests of thirty-two letters"}}
	signer, err := assertion.NewSigner(config)
	if err != nil {
		t.Fatal(err)
	}
	const remote = "203.0.113.7"
	chain := authority.New(t, "Devices").Issue("device", nil).Certificate
	certified, err := auth.FromCertificates(chain)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, client assertion.Client, want auth.Request, target string, change func(*http.Request)) {
		t.Helper()
		client.Remote = remote + ":5"
		statement, err := assertion.State(client)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader("x"))
		signer.Sign(r, statement)
		if change != nil {
			change(r)
		}
		fx, w := newFixture(), httptest.NewRecorder()
		assertion.NewVerifier(config).Handler(fx.http).ServeHTTP(w, r)
		want.Protocol = refusal.HTTP
		if diff := cmp.Diff([]auth.Request{want}, fx.door.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if admitted := want.Credential == auth.Password("hey-rodney"); (w.Code == http.StatusAccepted) != admitted {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	refused := func(as string) auth.Request { return auth.Request{Remote: remote, As: as} }
	keyed := func(as string) auth.Request {
		return auth.Request{Application: "example-app", Device: "device1", Credential: auth.Proof("proof"), Remote: remote, As: as}
	}
	psk := assertion.Client{Identity: "device1@example-app", Proof: "proof"}
	basic := func(r *http.Request) { r.SetBasicAuth("device1@example-app", "hey-rodney") }
	f("a pre-shared key", psk, keyed(""), "/v1/x", nil)
	f("for another device", psk, keyed("other"), "/v1/x?as=other", nil)
	f("beside a password", psk, refused(""), "/v1/x", basic)
	f("beside a device", psk, refused(""), "/v1/x?device=device1", nil)
	f("beside an application", psk, refused(""), "/v1/x?application=example-app", nil)
	f("an identity of no device", assertion.Client{Identity: "device1", Proof: "proof"}, refused(""), "/v1/x", nil)

	certified.Remote = remote
	f("a certificate", assertion.Client{Chain: chain}, certified, "/v1/x", nil)
	certified.As = "other"
	f("a certificate for another device", assertion.Client{Chain: chain}, certified, "/v1/x?as=other", nil)
	certified.Application = "example-app"
	f("a certificate and an application", assertion.Client{Chain: chain}, certified, "/v1/x?as=other&application=example-app", nil)
	f("a certificate beside a password", assertion.Client{Chain: chain}, refused(""), "/v1/x", basic)
	f("no certificate", assertion.Client{Chain: [][]byte{{1}}}, refused(""), "/v1/x", nil)

	f("a password", assertion.Client{}, auth.Request{Application: "example-app", Device: "device1", Credential: auth.Password("hey-rodney"), Remote: remote}, "/v1/x", basic)
	f("nothing", assertion.Client{}, refused(""), "/v1/x", nil)
	forged := refused("")
	forged.Remote = "192.0.2.1" // whoever connects
	f("a forged header beside a password", psk, forged, "/v1/x", func(r *http.Request) {
		basic(r)
		r.Header[assertion.Header][0] += "A"
	})
}
