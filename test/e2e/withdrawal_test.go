//go:build integration

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A withdrawal is what becomes of sessions that the first and the second credential of a device have proven.
type withdrawal struct {
	what  string
	after []string // the credentials that the device has then
	ends  [2]bool
}

var withdrawals = []withdrawal{
	{"the first is removed", []string{"two"}, [2]bool{true, false}},
	{"the first is replaced", []string{"two", "three"}, [2]bool{true, false}},
	{"the second is removed", []string{"one"}, [2]bool{false, true}},
	{"both are removed", nil, [2]bool{true, true}},
}

// TestWithdrawnCredentialsEndSessions has Paho and OpenSSL hold sessions, and curl take their credentials away.
func TestWithdrawnCredentialsEndSessions(t *testing.T) {
	paho := mqttLibraries(t)[0]
	sites(t, func(t *testing.T, s *site) {
		a := s.tenant(t)
		for i, w := range withdrawals {
			t.Run(w.what, func(t *testing.T) {
				a := *a
				a.t = t
				w.overMQTT(s, &a, paho, strconv.Itoa(i))
				w.overDTLS(s, &a, "dtls-"+strconv.Itoa(i))
			})
		}
	})
}

// passwords is the specification of a device with passwords, of which the second has a user name.
func passwords(device string, names ...string) string {
	list := []string{}
	for _, name := range names {
		if name == "two" {
			list = append(list, `{"user":{"username":`+quote(device)+`,"password":"two"}}`)
		} else {
			list = append(list, `{"pass":`+quote(name)+`}`)
		}
	}
	return `{"authentication":{"credentials":[` + strings.Join(list, ",") + `]}}`
}

// overMQTT has a device log in with the first password in version 3.1.1, and another with the second in version 5.
func (w withdrawal) overMQTT(s *site, a *tenant, paho mqttLibrary, number string) {
	a.t.Helper()
	var devices [2]string
	var clients [2]*publisher
	for i, login := range []struct{ secret, version string }{{"one", "4"}, {"two", "5"}} {
		devices[i] = "mqtt-" + number + "-" + login.secret
		s.device(a, devices[i], passwords(devices[i], "one", "two"))
		clients[i] = paho.connect(a.t, s.mqtt, login.version, devices[i]+"@"+a.name, login.secret)
		clients[i].publish("x", "before", "acknowledged 0")
	}
	for i, client := range clients {
		kept := s.renewed(a.t)
		s.change(a, devices[i], passwords(devices[i], w.after...))
		want := []string{"connected", "x: before"}
		if w.ends[i] {
			client.expect([]string{"disconnected ", "disconnected 152"}[i])
		} else {
			neighbour.Eventually(a.t, "the log-in of "+devices[i]+" to be judged again", func() bool { return s.renewed(a.t) > kept })
			client.publish("x", "after", "acknowledged 0")
			client.end()
			want = append(want, "x: after")
		}
		a.expectStory(w.what, devices[i], append(want, "disconnected")...)
	}
}

// renewed is how many log-ins over MQTT were admitted again after a change.
func (s *site) renewed(t *testing.T) (n int) {
	t.Helper()
	for line := range strings.Lines(curl(t, nil, s.metrics).body) {
		if strings.HasPrefix(line, "fairlead_mqtt_gateway_renewals_total{") && strings.Contains(line, `result="kept"`) {
			_, value, _ := strings.Cut(line, "} ")
			n, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return n
}

// keys is the specification of a device with a password and pre-shared keys, of which a handshake is offered the last.
func keys(secret string, names ...string) string {
	list := []string{`{"pass":` + quote(secret) + `}`}
	for i, name := range names {
		list = append(list, fmt.Sprintf(`{"psk":{"key":%q,"validity":{"notBefore":"200%d-01-01T00:00:00Z","notAfter":"2999-01-01T00:00:00Z"}}}`,
			base64.StdEncoding.EncodeToString([]byte(name)), i+1))
	}
	return `{"authentication":{"credentials":[` + strings.Join(list, ",") + `]}}`
}

// overDTLS has one device hold a session with each of its keys. The one that ends tells when the other has been judged, too.
func (w withdrawal) overDTLS(s *site, a *tenant, device string) {
	a.t.Helper()
	login := func(secret string) string { return device + "@" + a.name + ":" + secret }
	s.device(a, device, keys("p", "one"))
	sessions := [2]*dtlsSession{openDTLS(a, s.coaps, device, "one")}
	s.change(a, device, keys("q", "one", "two"))
	eventuallyAdmitted(a.t, s.http+"/v1/q-"+device, login("q"))
	sessions[1] = openDTLS(a, s.coaps, device, "two")
	for _, session := range sessions {
		session.publish("before")
	}
	s.change(a, device, keys("r", w.after...))
	for i, session := range sessions {
		if w.ends[i] {
			session.expectEnd(w.what)
		}
	}
	for i, session := range sessions {
		if !w.ends[i] {
			session.publish("after")
		}
	}
}

// A dtlsSession is OpenSSL's client, which writes its input as datagrams and ends with the session.
type dtlsSession struct {
	tenant *tenant
	key    string
	device string
	number byte // of the next message
	input  io.Writer
	output bytes.Buffer
	ended  chan struct{}
}

// openDTLS opens a session with a pre-shared key.
func openDTLS(a *tenant, url, device, key string) *dtlsSession {
	a.t.Helper()
	return startDTLS(a, url, device, key, "-cipher", "PSK-AES128-GCM-SHA256", "-psk_identity", device+"@"+a.name, "-psk", hex.EncodeToString([]byte(key)))
}

// startDTLS opens a session with what the arguments prove. Its messages are in channels that begin with key.
func startDTLS(a *tenant, url, device, key string, proof ...string) *dtlsSession {
	a.t.Helper()
	s := &dtlsSession{tenant: a, key: key, device: device, ended: make(chan struct{})}
	arguments := append([]string{"s_client", "-dtls1_2", "-quiet", "-connect", strings.TrimPrefix(url, "coaps://")}, proof...)
	command := exec.CommandContext(a.t.Context(), "openssl", arguments...)
	input, err := command.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	s.input, command.Stdout, command.Stderr = input, &s.output, &s.output
	if err := command.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = command.Wait() // its status is that of no message
	}()
	a.t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-s.ended
	})
	s.publish("first")
	return s
}

// publish sends POST /v1/DEVICE-KEY-TEXT, confirmable and without a token, and waits until it is stored.
func (s *dtlsSession) publish(text string) {
	s.tenant.t.Helper()
	channel := s.key + "-" + text
	s.number++
	message := "\x40\x02\x00" + string(rune(s.number)) + "\xb2v1" + string(rune(len(channel))) + channel + "\xff1"
	if _, err := io.WriteString(s.input, message); err != nil {
		s.tenant.t.Fatalf("the session with key %s: %v\n%s", s.key, err, s.log())
	}
	neighbour.Eventually(s.tenant.t, channel+" to be stored", func() bool {
		for _, r := range s.tenant.records() {
			if r.headers["ce_device"] == s.device && r.headers["ce_subject"] == channel {
				return true
			}
		}
		return false
	})
}

// log is what OpenSSL has said, once it has ended.
func (s *dtlsSession) log() string {
	<-s.ended
	return s.output.String()
}

func (s *dtlsSession) expectEnd(what string) {
	s.tenant.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(waitLimit):
		s.tenant.t.Errorf("%s: the session with key %s goes on", what, s.key)
	}
}
