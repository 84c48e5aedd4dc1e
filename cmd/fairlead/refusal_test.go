//go:build integration

package main

import (
	"encoding/base64"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A client is a run of a program that Fairlead refuses something; what the program says of it does not matter here.
type client []string

func curl(n devcloud.Note, login, path string, more ...string) client {
	return append(client{"curl", "-sS", "-m", "60", "-u", login}, append(more, n.HTTP+path)...)
}

func mosquitto(t *testing.T, n devcloud.Note, version, password string, more ...string) client {
	t.Helper()
	u, err := url.Parse(n.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	return append(client{"mosquitto_pub", "-h", u.Hostname(), "-p", u.Port(), "-V", version, "-u", "device1@example-app", "-P", password}, more...)
}

func coap(url string, more ...string) client {
	return append(client{"coap-client-openssl", "-B", "5", "-m", "post", "-e", "x"}, append(more, url)...)
}

func authorization(login string) string {
	return "4209,Basic " + base64.StdEncoding.EncodeToString([]byte(login))
}

// run runs the program to its end. Most end with a failure, as they should.
func (c client) run(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), c[0], c[1:]...)
	output, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatalf("%s: %v\n%s", c[0], err, output)
	}
}

// TestDevTellsWhatIsRefused has clients that others wrote do what is refused, and reads what the terminal says of it.
func TestDevTellsWhatIsRefused(t *testing.T) {
	data := t.TempDir()
	p := launch(t, onFreePorts(data))
	n := note(t, data, p.command.Process.Pid)
	const right = "device1@example-app:hey-rodney"
	large := strings.Repeat("x", 70_000)
	expect := func(want string) {
		t.Helper()
		pattern := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  refused  ` + regexp.QuoteMeta(want) + `$`)
		neighbour.Eventually(t, want, func() bool { return pattern.MatchString(p.out.String()) })
	}
	f := func(c client, want string) {
		t.Helper()
		c.run(t)
		expect(want)
	}
	// A handshake that comes to nothing is told when the client repeats its last message.
	coap(n.COAPS+"/v1/a", "-u", "nobody@example-app", "-k", "x").run(t)
	coap(n.COAPS+"/v1/a", "-u", "device1@example-app", "-k", "wrong").run(t)

	f(curl(n, "device1@example-app:wrong", "/v1/a", "-d", "x"), "http  device1@example-app, POST /v1/a  → 403  wrong password")
	f(curl(n, "nobody@example-app:x", "/v1/a", "-d", "x"), "http  nobody@example-app, POST /v1/a  → 403  unknown device")
	f(curl(n, "d\x1b[31m@example-app:x", "/v1/a", "-d", "x"), "http  d·[31m@example-app, POST /v1/a  → 403  unknown device")
	f(client{"curl", "-sS", "-d", "x", n.HTTP + "/v1/a"}, "http  somebody at 127.0.0.1, POST /v1/a  → 403  no Authorization header")
	f(curl(n, right, "/v1/a?as=nobody", "-d", "x"), "http  device1@example-app for nobody, POST /v1/a  → 403  unknown device to act for")
	f(curl(n, right, "/a", "-d", "x"), "http  somebody at 127.0.0.1, POST /a  → 404  devices post to /v1/{channel}")
	f(curl(n, right, "/v1/a"), "http  somebody at 127.0.0.1, GET /v1/a  → 405  devices publish with POST")
	f(curl(n, right, "/v1/a", "-d", "{", "-H", "Content-Type: application/json"),
		"http  device1@example-app, POST /v1/a  → 406  the content type is JSON but the body is not")
	f(curl(n, right, "/v1/a", "-d", "x", "-H", "Content-Encoding: br"),
		"http  device1@example-app, POST /v1/a  → 415  the body has a content coding other than gzip, deflate")
	f(curl(n, right, "/v1/a", "-d", large), "http  device1@example-app, POST /v1/a  → 413  the body is larger than 65536 bytes")
	f(curl(n, "ttn-gateway@example-app:lora", "/ttn/v3", "-d", "x"), "ttn   somebody at 127.0.0.1, POST /ttn/v3  → 400  Invalid data format: the body is not JSON")
	f(client{"curl", "-sS", "-H", "Authorization: Bearer x", n.API + "/api/registry/v1alpha1/apps"},
		"api   somebody at 127.0.0.1, GET /api/registry/v1alpha1/apps  → 403  unknown issuer")

	f(mosquitto(t, n, "mqttv311", "wrong", "-t", "a", "-m", "x"), "mqtt  device1@example-app, CONNECT  → CONNACK 4  wrong password")
	f(mosquitto(t, n, "mqttv5", "wrong", "-t", "a", "-m", "x"), "mqtt  device1@example-app, CONNECT  → CONNACK 0x86  wrong password")
	f(mosquitto(t, n, "mqttv311", "hey-rodney", "-q", "1", "-t", "a/b/c", "-m", "x"),
		"mqtt  device1@example-app, PUBLISH a/b/c  → PUBACK, not stored  a topic has the form channel or channel/device")
	f(mosquitto(t, n, "mqttv5", "hey-rodney", "-q", "1", "-t", "a/nobody", "-m", "x"),
		"mqtt  device1@example-app for nobody, PUBLISH a/nobody  → PUBACK 0x87  unknown device to act for")
	f(mosquitto(t, n, "mqttv5", "hey-rodney", "-q", "1", "-t", "a", "-m", large),
		"mqtt  device1@example-app, PUBLISH a  → PUBACK 0x80  the body is larger than 65536 bytes")
	f(mosquitto(t, n, "mqttv311", "hey-rodney", "-q", "1", "-t", "a", "-m", large),
		"mqtt  device1@example-app, PUBLISH a  → PUBACK, not stored  the body is larger than 65536 bytes")

	f(coap(n.COAP+"/v1/a", "-O", authorization("device1@example-app:wrong")), "coap  device1@example-app, POST /v1/a  → 4.03  wrong password")
	f(coap(n.COAP+"/v2/a"), "coap  somebody at 127.0.0.1, POST /v2/a  → 4.00  the path is not /v1/{channel}")
	expect("coap  nobody@example-app, DTLS handshake  → no session  unknown device")
	expect("coap  device1@example-app, DTLS handshake  → no session  the client has another pre-shared key than the device")

	for range 5 {
		curl(n, right, "/v1/folded", "-d", "{", "-H", "Content-Type: application/json").run(t)
	}
	folded := regexp.MustCompile(`refused  http  device1@example-app, POST /v1/folded  → 406  .*  \(… (\d+) more like this within 10 s\)`)
	neighbour.Eventually(t, "a fold", func() bool { return folded.MatchString(p.out.String()) })
	for _, secret := range []string{"hey-rodney", "lora"} {
		if _, after, _ := strings.Cut(p.out.String(), "refused  "); strings.Contains(after, secret) {
			t.Errorf("the terminal shows the password %q", secret)
		}
	}
}
