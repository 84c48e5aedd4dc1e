package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
)

// mqttLogin is a log-in with user name and password.
func mqttLogin(username, password, clientID string) MQTTLogin {
	return MQTTLogin{ClientID: clientID, HasUsername: true, Username: username, HasPassword: true, Password: []byte(password)}
}

func TestFromMQTT(t *testing.T) {
	f := func(l MQTTLogin, want Request) {
		t.Helper()
		got, err := FromMQTT(l)
		if err != nil {
			t.Errorf("FromMQTT(%q, %q): %v", l.Username, l.ClientID, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("FromMQTT(%q, %q) (-want +got):\n%s", l.Username, l.ClientID, diff)
		}
	}
	password := func(application, device, password string) Request {
		return Request{Application: application, Device: device, Credential: Password(password)}
	}
	user := func(application, device, user, password string) Request {
		return Request{Application: application, Device: device, Credential: UserPassword{user, password}}
	}

	// User name with application: whatever the client id is.
	f(mqttLogin("d@a", "p", ""), password("a", "d", "p"))
	f(mqttLogin("d@a", "p", "x@y"), password("a", "d", "p"))
	f(mqttLogin("d@a@b", "p", ""), password("a@b", "d", "p"))
	f(mqttLogin("d%40x@a%40", "p", ""), password("a%40", "d@x", "p"))
	f(mqttLogin("O=Drogue IoT, CN=x@a", "p", ""), password("a", "O=Drogue IoT, CN=x", "p"))
	f(mqttLogin("%c3%BC@a", "ü", ""), password("a", "ü", "ü"))
	f(mqttLogin("d@a", "", ""), password("a", "d", ""))
	f(mqttLogin("@", "p", ""), password("", "", "p"))

	// The client id names the device.
	f(mqttLogin("u", "p", "d@a"), user("a", "d", "u", "p"))
	f(mqttLogin("u%40x", "p", "d%2F1@a@b"), user("a@b", "d/1", "u@x", "p"))
	f(mqttLogin("", "p", "d@a"), user("a", "d", "", "p"))
}

func TestFromMQTTWithCertificate(t *testing.T) {
	anchor := newIssuer(t, nil, "app1", nil)
	chain := [][]byte{anchor.leaf("device1", nil), anchor.certificate.Raw}
	got, err := FromMQTT(MQTTLogin{ClientID: "x@y", Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	want := Request{Application: "O=Drogue IoT, OU=Cloud, CN=app1", Device: "O=Drogue IoT, OU=Cloud, CN=device1", Credential: CertificateChain(chain)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l := mqttLogin("d@a", "p", "")
	l.Chain = chain
	if _, err := FromMQTT(l); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("a certificate beside a user name: %v", err)
	}
}

func TestFromMQTTWithPreSharedKey(t *testing.T) {
	got, err := FromMQTT(MQTTLogin{ClientID: "x@y", Identity: "d@a", Proof: "proof"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Request{Application: "a", Device: "d", Credential: Proof("proof")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l := mqttLogin("d@a", "p", "")
	l.Identity, l.Proof = "d@a", "proof"
	for _, l := range []MQTTLogin{l, {HasUsername: true, Identity: "d@a", Proof: "proof"}, {Identity: "d", Proof: "proof"}} {
		if _, err := FromMQTT(l); outcome.Of(err) != outcome.Unauthenticated {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestFromMQTTRefuses(t *testing.T) {
	f := func(l MQTTLogin) {
		t.Helper()
		got, err := FromMQTT(l)
		if outcome.Of(err) != outcome.Unauthenticated || got.Credential != nil || got.Application != "" || got.Device != "" {
			t.Errorf("FromMQTT(%q, %q) = %v, %v, want a refusal", l.Username, l.ClientID, got, err)
		}
	}
	f(MQTTLogin{})
	f(MQTTLogin{ClientID: "d@a"})
	f(MQTTLogin{ClientID: "d@a", HasUsername: true, Username: "d@a"})
	f(MQTTLogin{ClientID: "d@a", HasPassword: true, Password: []byte("p")})
	f(MQTTLogin{Chain: [][]byte{{0x30, 0x00}}})
	f(mqttLogin("u", "p", ""))
	f(mqttLogin("u", "p", "d"))
	f(mqttLogin("d@a", "\xff", ""))
	f(mqttLogin("%ff@a", "p", ""))
	f(mqttLogin("%ff", "p", "d@a"))
	f(mqttLogin("u", "p", "%ff@a"))
	f(mqttLogin("d@"+strings.Repeat("a", maxUser), "p", ""))
	f(mqttLogin("u", "p", "d@"+strings.Repeat("a", maxUser)))
	f(mqttLogin("d@a", strings.Repeat("p", maxPassword+1), ""))
}

func TestFromMQTTCopies(t *testing.T) {
	buffer := []byte("p")
	l := mqttLogin("d@a", "", "")
	l.Password = buffer
	got, err := FromMQTT(l)
	if err != nil {
		t.Fatal(err)
	}
	buffer[0] = 'x'
	if got.Credential != Password("p") {
		t.Error("the request changes with the packet")
	}
}

func FuzzFromMQTT(f *testing.F) {
	f.Add("d@a", []byte("p"), "", true, true, []byte(nil))
	f.Add("u", []byte("p"), "d@a", true, true, []byte(nil))
	f.Add("%40@%zz", []byte("\xff"), "%@", true, true, []byte{0x30})
	f.Add("", []byte{}, "d@a", false, false, []byte{0x30, 0x82})
	f.Fuzz(func(t *testing.T, username string, password []byte, clientID string, hasUsername, hasPassword bool, certificate []byte) {
		l := MQTTLogin{ClientID: clientID, HasUsername: hasUsername, Username: username, HasPassword: hasPassword, Password: password}
		if len(certificate) > 0 {
			l.Chain = [][]byte{certificate}
		}
		request, err := FromMQTT(l)
		if err != nil {
			if outcome.Of(err) != outcome.Unauthenticated {
				t.Fatalf("outcome %v", outcome.Of(err))
			}
			return
		}
		switch c := request.Credential.(type) {
		case Password:
			if !strings.HasSuffix(username, "@"+request.Application) || string(c) != string(password) {
				t.Fatalf("%q became %q, %q", username, request.Device, request.Application)
			}
		case UserPassword:
			if strings.Contains(username, "@") || !strings.HasSuffix(clientID, "@"+request.Application) || c.Password != string(password) {
				t.Fatalf("%q, %q became %q, %q", username, clientID, request.Device, request.Application)
			}
		case CertificateChain:
			if hasUsername || hasPassword {
				t.Fatal("a certificate was taken beside something else")
			}
		default:
			t.Fatalf("credential %v", request.Credential)
		}
	})
}
