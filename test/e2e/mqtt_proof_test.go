//go:build integration

package e2e

import (
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/fairlead/fairlead/test/neighbour"
)

var errNoAnswer = errors.New("no answer")

// An mqttRoute is a way for MQTT over TLS: by itself or in a WebSocket, with one version of TLS and one program that speaks it.
type mqttRoute struct {
	name string
	dial func(t *testing.T, p proof) (net.Conn, error)
}

// routes are those for proofs of a kind.
func (g *mqttGateway) routes(kind string) (list []mqttRoute) {
	for _, s := range securers(kind) {
		list = append(list, mqttRoute{"mqtt-" + s.name, func(t *testing.T, p proof) (net.Conn, error) { return s.connect(t, g.ca, g.tls, p) }})
		list = append(list, mqttRoute{"websocket-" + s.name, func(t *testing.T, p proof) (net.Conn, error) {
			conn, err := s.connect(t, g.ca, g.wss, p)
			if err != nil {
				return nil, err
			}
			return overWebSocket(t, conn)
		}})
	}
	return list
}

// An mqttClient is a session of Paho's client for 3.1.1. gone is closed when it has lost its connection.
type mqttClient struct {
	paho3.Client
	gone chan struct{}
}

// open logs a client in.
func (r mqttRoute) open(t *testing.T, p proof) (*mqttClient, error) {
	t.Helper()
	link, err := r.dial(t, p)
	if err != nil {
		return nil, err
	}
	c := &mqttClient{gone: make(chan struct{})}
	c.Client = paho3.NewClient(paho3.NewClientOptions().AddBroker("tcp://localhost:1").SetProtocolVersion(4).
		SetConnectRetry(false).SetAutoReconnect(false).SetUsername(p.user).SetPassword(p.password).
		SetCustomOpenConnectionFn(func(*url.URL, paho3.ClientOptions) (net.Conn, error) { return link, nil }).
		SetConnectionLostHandler(func(paho3.Client, error) { close(c.gone) }))
	if err := answered(c.Connect()); err != nil {
		_ = link.Close()
		return nil, err
	}
	return c, nil
}

// answered waits for an answer.
func answered(token paho3.Token) error {
	if !token.WaitTimeout(waitLimit) {
		return errNoAnswer
	}
	return token.Error()
}

// publish sends a message in a topic.
func (c *mqttClient) publish(topic string) error { return answered(c.Publish(topic, 1, false, "x")) }

// mustOpen is open for what has to be admitted, and has published something.
func (r mqttRoute) mustOpen(t *testing.T, p proof) *mqttClient {
	t.Helper()
	c, err := r.open(t, p)
	if err == nil {
		err = c.publish(r.name)
	}
	if err != nil {
		t.Fatalf("%s with a %s: %v", r.name, p.kind(), err)
	}
	return c
}

// expectGone waits for the end of a session.
func (c *mqttClient) expectGone(t *testing.T, what string) {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(waitLimit):
		t.Errorf("%s: the session goes on", what)
	}
}

// send publishes a message in each topic, in a session of its own.
func (r mqttRoute) send(t *testing.T, p proof, topics ...string) error {
	t.Helper()
	c, err := r.open(t, p)
	for _, topic := range topics {
		if err == nil {
			err = c.publish(topic)
		}
	}
	if c != nil {
		const milliseconds = 250
		c.Disconnect(milliseconds)
	}
	return err
}

// mosquittoWith is mosquitto_pub with a proof and a version of TLS.
func mosquittoWith(t *testing.T, g *mqttGateway, version string, p proof, topic string) bool {
	t.Helper()
	arguments := []string{"--tls-version", "tlsv" + version, "-q", "1", "-t", topic, "-m", "x"}
	switch p.kind() {
	case "key":
		arguments = append(arguments, "--psk-identity", p.identity, "--psk", p.hexKey())
	case "certificate":
		arguments = append(append(arguments, "--cafile", g.ca), p.certificate.files()...)
	default:
		arguments = append(arguments, "--cafile", g.ca, "-u", p.user, "-P", p.password)
	}
	_, ok := mosquitto(t, "mosquitto_pub", g.tls, arguments...)
	return ok
}

// A speaker is who an event is of, and who sent it.
type speaker struct{ device, sender string }

// speakers are those of the messages of a tenant, by channel.
func (a *tenant) speakers() map[string]speaker {
	a.t.Helper()
	found := map[string]speaker{}
	for _, r := range a.records() {
		if r.headers["ce_type"] == "io.drogue.event.v1" {
			found[r.headers["ce_subject"]] = speaker{r.headers["ce_device"], r.headers["ce_sender"]}
		}
	}
	return found
}

// proofs are one of each kind, by the device that has it, which speaks for the device "sensor", too.
func (a *tenant) proofs(ca *identity) map[string]proof {
	a.t.Helper()
	a.trust(ca.pem())
	a.device("named", password("p"))
	a.device("keyed", keyed("p", sharedKey))
	a.device("certified", certified("certified"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["named","keyed","certified"]}}`)
	return map[string]proof{
		"named": withPassword("named", "p", a), "keyed": withKey("keyed", sharedKey, a), "certified": {certificate: ca.issue("certified", inAnHour())},
	}
}

// TestMQTTProofs has devices publish with every kind of proof, over TLS by itself and in a WebSocket, for themselves and for another one.
func TestMQTTProofs(t *testing.T) {
	g, a := ownMQTT(t), newTenant(t)
	want := map[string]speaker{}
	for device, p := range a.proofs(newAuthority(t, a.name)) {
		expect := func(channel string) (own, other string) {
			want[channel], want[channel+"-as"] = speaker{device, device}, speaker{"sensor", device}
			return channel, channel + "-as/sensor"
		}
		for _, r := range g.routes(p.kind()) {
			own, other := expect(device + "-" + r.name)
			if err := r.send(t, p, own, other, device+"/nobody"); err != nil { // the last one is answered and not stored
				t.Errorf("%s: %v", own, err)
			}
		}
		for _, version := range []string{"1.2", "1.3"} {
			own, other := expect(device + "-mosquitto-" + version)
			for _, topic := range []string{own, other} {
				if !mosquittoWith(t, g, version, p, topic) {
					t.Errorf("%s is not published", topic)
				}
			}
		}
	}
	got := a.speakers()
	for channel, who := range want {
		if got[channel] != who {
			t.Errorf("%s: of %+v, want %+v", channel, got[channel], who)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d channels are stored, want %d", len(got), len(want))
	}
}

// forServersOnly is a certificate that is no client's.
func (i *identity) forServersOnly(name string) *identity {
	i.t.Helper()
	return newIdentity(i.t, i, &x509.Certificate{
		Subject: i.issue(name, inAnHour()).certificate.Subject, NotAfter: inAnHour(),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// TestMQTTProofsThatAdmitNobody shows what is refused. None of it is stored, and the right proof is admitted after it.
func TestMQTTProofsThatAdmitNobody(t *testing.T) {
	g, a := ownMQTT(t), newTenant(t)
	ca := newAuthority(t, a.name)
	right := a.proofs(ca)
	a.device("off", strings.Replace(keyed("p", sharedKey), "{", `{"core":{"disabled":true},"alias":[`+quote(subjectOf("off"))+`],`, 1))
	wrong := map[string]proof{
		"a wrong password":                     withPassword("named", "q", a),
		"the password of a disabled device":    withPassword("off", "p", a),
		"a wrong key":                          withKey("keyed", "another", a),
		"the key of an unknown device":         withKey("nobody", sharedKey, a),
		"an identity that names nobody":        {identity: "keyed", key: sharedKey},
		"the key of a disabled device":         withKey("off", sharedKey, a),
		"a certificate that has ended":         {certificate: ca.issue("certified", time.Now().Add(-time.Minute))},
		"a certificate of a foreign authority": {certificate: newAuthority(t, a.name).issue("certified", inAnHour())},
		"a certificate for servers":            {certificate: ca.forServersOnly("certified")},
		"a certificate of a disabled device":   {certificate: ca.issue("off", inAnHour())},
		"a certificate of nobody's":            {certificate: ca.issue("nobody", inAnHour())},
		"a certificate beside a user name":     {certificate: ca.issue("certified", inAnHour()), user: "named@" + a.name, password: "p"},
		"a key beside a user name":             {identity: "keyed@" + a.name, key: sharedKey, user: "named@" + a.name, password: "p"},
	}
	for what, p := range wrong {
		for _, r := range g.routes(p.kind()) {
			if err := r.send(t, p, "refused"); err == nil {
				t.Errorf("%s is admitted over %s", what, r.name)
			}
		}
		if p.user == "" || p.kind() == "password" {
			for _, version := range []string{"1.2", "1.3"} {
				if mosquittoWith(t, g, version, p, "refused") {
					t.Errorf("%s is admitted with mosquitto_pub, TLS %s", what, version)
				}
			}
		}
	}
	for _, p := range right {
		for _, r := range g.routes(p.kind()) {
			if err := r.send(t, p, "right"); err != nil {
				t.Errorf("the right %s over %s: %v", p.kind(), r.name, err)
			}
		}
	}
	if _, stored := a.speakers()["refused"]; stored {
		t.Error("something is stored that was refused")
	}
}

// TestMQTTProofsThatAreWithdrawn has sessions end over every route.
func TestMQTTProofsThatAreWithdrawn(t *testing.T) {
	g, a := ownMQTT(t), newTenant(t)
	ca, next := newAuthority(t, a.name), newAuthority(t, a.name)
	mine, new := proof{certificate: ca.issue("d", inAnHour())}, withKey("d", "another", a)
	restore := func() {
		a.trust(ca.pem())
		a.device("d", strings.Replace(keyed("p", sharedKey), "{", `{"alias":[`+quote(subjectOf("d"))+`],`, 1))
	}
	withdrawals := []proofWithdrawal{
		{"the key is withdrawn", withKey("d", sharedKey, a), func() { a.device("d", password("p")) }, nil},
		{"the key is replaced", withKey("d", sharedKey, a), func() { a.device("d", keyed("p", "another")) }, &new},
		{"the device of a key is disabled", withKey("d", sharedKey, a), func() {
			a.device("d", strings.Replace(keyed("p", sharedKey), "{", `{"core":{"disabled":true},`, 1))
		}, nil},
		{"the alias of a certificate is withdrawn", mine, func() { a.device("d", keyed("p", sharedKey)) }, nil},
		{"the device of a certificate is disabled", mine, func() {
			a.device("d", `{"core":{"disabled":true},"alias":[`+quote(subjectOf("d"))+`]}`)
		}, nil},
		{"the authority is replaced", mine, func() { a.trust(next.pem()) }, &proof{certificate: next.issue("d", inAnHour())}},
		{"the password is replaced", withPassword("d", "p", a), func() { a.device("d", password("q")) }, &proof{user: "d@" + a.name, password: "q"}},
	}
	for _, w := range withdrawals {
		t.Run(w.what, func(t *testing.T) {
			for _, r := range g.routes(w.proof.kind()) {
				restore()
				w.overMQTT(t, r)
			}
		})
	}
}

func (w proofWithdrawal) overMQTT(t *testing.T, r mqttRoute) {
	t.Helper()
	// The gateway may hear of what restored the device after the first log-in.
	neighbour.Eventually(t, "the device to be admitted over "+r.name, func() bool { return r.send(t, w.proof, r.name) == nil })
	c := r.mustOpen(t, w.proof)
	w.change()
	c.expectGone(t, w.what+", "+r.name)
	neighbour.Eventually(t, "the old proof to be refused over "+r.name, func() bool { return r.send(t, w.proof, r.name) != nil })
	if w.after != nil {
		neighbour.Eventually(t, "the new proof to be admitted over "+r.name, func() bool { return r.send(t, *w.after, r.name) == nil })
	}
}
