//go:build integration

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"
)

// An identity is a certificate with its key: an authority's, or a device's.
type identity struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority makes an authority, as an application may trust it.
func newAuthority(t *testing.T, name string) *identity {
	t.Helper()
	return newIdentity(t, nil, &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"Fairlead"}, CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
}

// issue makes a device's certificate, whose subject is subjectOf(name).
func (i *identity) issue(name string, until time.Time) *identity {
	i.t.Helper()
	return newIdentity(i.t, i, &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"Fairlead"}, CommonName: name}, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func subjectOf(name string) string { return "O=Fairlead, CN=" + name }

func newIdentity(t *testing.T, issuer *identity, template *x509.Certificate) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &identity{t: t, key: key}
	if issuer == nil {
		issuer = &identity{certificate: template, key: key}
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if made.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return made
}

// pair is for a client over TLS.
func (i *identity) pair() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{i.certificate.Raw}, PrivateKey: i.key}
}

// files are the arguments for mosquitto's clients.
func (i *identity) files() []string {
	i.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	folder := i.t.TempDir()
	certificate, private := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: i.certificate.Raw},
		private:     {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			i.t.Fatal(err)
		}
	}
	return []string{"--cert", certificate, "--key", private}
}

// pem is the certificate as text.
func (i *identity) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.certificate.Raw})
}

// certified is the specification of a device with a certificate.
func certified(name string) string { return `{"alias":[` + quote(subjectOf(name)) + `]}` }

func TestMQTTClientCertificates(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	authority := newAuthority(t, a.name)
	a.trust(authority.pem())
	hour := time.Now().Add(time.Hour)
	for _, version := range []string{"mqttv311", "mqttv5"} {
		device := "mosquitto-" + version
		a.device(device, certified(device))
		arguments := append(authority.issue(device, hour).files(), "--cafile", g.ca, "-V", version, "-q", "1", "-t", "temp", "-m", "21")
		if output, ok := mosquitto(t, "mosquitto_pub", g.tls, arguments...); !ok {
			t.Errorf("%s: %s", version, output)
			continue
		}
		a.expectStory(version, device, "connected", "temp: 21", "disconnected")
	}
	a.device("web", certified("web"))
	secret := trusting(t, g.ca)
	secret.Certificates = []tls.Certificate{authority.issue("web", hour).pair()}
	client := paho3.NewClient(paho3.NewClientOptions().AddBroker("wss://" + g.wss).SetTLSConfig(secret).SetConnectRetry(false).SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(waitLimit) || token.Error() != nil {
		t.Fatalf("over WebSocket: %v", token.Error())
	}
	if token := client.Publish("temp", 1, false, "21"); !token.WaitTimeout(waitLimit) || token.Error() != nil {
		t.Errorf("over WebSocket: %v", token.Error())
	}
	const milliseconds = 250
	client.Disconnect(milliseconds)
	a.expectStory("over WebSocket", "web", "connected", "temp: 21", "disconnected")
}

// TestMQTTCertificatesThatAdmitNobody has each refused like a wrong password. One refusal leaves the next log-in alone.
func TestMQTTCertificatesThatAdmitNobody(t *testing.T) {
	g := ownMQTT(t)
	a, other := newTenant(t), newTenant(t)
	authority, impostor, foreign := newAuthority(t, a.name), newAuthority(t, a.name), newAuthority(t, other.name)
	a.trust(authority.pem())
	other.trust(foreign.pem())
	a.device("device", certified("device"))
	a.device("disabled", `{"core":{"disabled":true},"alias":[`+quote(subjectOf("disabled"))+`]}`)
	hour := time.Now().Add(time.Hour)
	f := func(what string, i *identity, more ...string) {
		t.Helper()
		secured := trusting(t, g.ca)
		secured.Certificates = []tls.Certificate{i.pair()}
		say := greeting{id: "x"}
		if len(more) > 0 {
			say.user, say.password = more[0], "p"
		}
		for _, version := range []struct {
			name string
			in   talk
			want int
		}{{"5", greeting.say5, 0x86}, {"3.1.1", greeting.say311, 4}} {
			link, err := tls.Dial("tcp", g.tls, secured)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got, err := version.in(say, link); err != nil || got.code != version.want {
				t.Errorf("%s: version %s is answered with %#x, %v; want %#x", what, version.name, got.code, err, version.want)
			}
			_ = link.Close()
		}
	}
	f("another authority of the same name", impostor.issue("device", hour))
	f("the authority of another application", foreign.issue("device", hour))
	f("an authority that nobody trusts", newAuthority(t, "nobody").issue("device", hour))
	f("a device that there is not", authority.issue("nobody", hour))
	f("a disabled device", authority.issue("disabled", hour))
	f("a certificate that has ended", authority.issue("device", time.Now().Add(-time.Minute)))
	f("the authority itself", authority)
	f("a certificate beside a user name", authority.issue("device", hour), "device@"+a.name)
	a.empty()
	other.empty()
	arguments := append(authority.issue("device", hour).files(), "--cafile", g.ca, "-q", "1", "-t", "temp", "-m", "21")
	if output, ok := mosquitto(t, "mosquitto_pub", g.tls, arguments...); !ok {
		t.Errorf("the right one: %s", output)
	}
}

// TestMQTTCertificateEnds has a session end with what it rests on: the certificate, and the application's trust.
func TestMQTTCertificateEnds(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	authority := newAuthority(t, a.name)
	a.trust(authority.pem())
	a.device("device", certified("device"))
	connect := func(until time.Time) <-chan byte {
		t.Helper()
		secured := trusting(t, g.ca)
		secured.Certificates = []tls.Certificate{authority.issue("device", until).pair()}
		link, err := tls.Dial("tcp", g.tls, secured)
		if err != nil {
			t.Fatal(err)
		}
		reasons := make(chan byte, 1)
		connect5(t, link, "", "", func(c *paho.ClientConfig, p *paho.Connect) {
			p.UsernameFlag, p.PasswordFlag = false, false
			c.OnServerDisconnect = func(d *paho.Disconnect) { reasons <- d.ReasonCode }
		})
		return reasons
	}
	f := func(what string, reasons <-chan byte) {
		t.Helper()
		select {
		case reason := <-reasons:
			if reason != 0x98 {
				t.Errorf("%s: the session ends with %#x", what, reason)
			}
		case <-time.After(waitLimit):
			t.Errorf("%s: the session goes on", what)
		}
	}
	const short = 15 * time.Second // a certificate counts in seconds, and the log-in must be over by then
	f("the certificate has ended", connect(time.Now().Add(short)))
	reasons := connect(time.Now().Add(time.Hour))
	a.trust(newAuthority(t, a.name).pem())
	f("the application trusts another authority", reasons)
}
