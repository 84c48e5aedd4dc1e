//go:build integration

package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/hex"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// forgery is an event of another device, as text.
const forgery = `{"specversion":"1.0","id":"forged","source":"drogue://other-app/boss","type":"io.drogue.event.v1","subject":"valve",` +
	`"application":"other-app","device":"boss","sender":"boss","data":{"open":true}}`

// refusedTypes are content types that would make an event of a body, or that nobody could read.
var refusedTypes = []string{
	"application/cloudevents", "application/cloudevents+json", "application/cloudevents+json; charset=utf-8", "Application/CloudEvents+JSON",
	"application/cloudevents-batch+json", "application/cloudevents+protobuf", "application/cloudevents+xml;x=y",
	"text/plain; charset", "text/plain;;", "image/jpeg, text/plain", "text plain", "text/plain; charset=utf 8", `text/plain; charset="utf-8`,
}

// TestADeviceSpeaksOnlyForItself has curl, mosquitto_pub and Paho send events of somebody else, and set attributes that are
// not theirs.
func TestADeviceSpeaksOnlyForItself(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("d", password("p"))
	client := connect5(t, dial5(t, g, "tcp://"+g.tcp), "d@"+a.name, "p", nil)
	for _, contentType := range refusedTypes {
		got := post(t, here.telemetry.URL()+"/v1/x", "d@"+a.name+":p", forgery, mediaType(contentType)...)
		if got.status != 400 || !strings.Contains(got.body, "content type") {
			t.Errorf("HTTP, %q: %d %s", contentType, got.status, got.body)
		}
		answer, err := client.Publish(bounded(t), &paho.Publish{Topic: "x", QoS: 1, Payload: []byte(forgery), Properties: &paho.PublishProperties{ContentType: contentType}})
		if answer == nil || answer.ReasonCode != 0x80 || !strings.Contains(answer.Properties.ReasonString, "content type") {
			t.Errorf("MQTT, %q: %v, %v", contentType, answer, err)
		}
	}
	user := paho.UserProperties{{Key: "unit", Value: "celsius"}}
	for _, name := range []string{
		"fairleadhops", "fairleadnext", "knativeerrordest", "knativeerrorcode", "knativeerrordata", "hwaddr", "lorawanport", "lorawannext", "device", "sender",
		"application", "source", "type", "id", "time", "dataschema", "datacontenttype", "partitionkey", "traceparent", "instance",
	} {
		user = append(user, paho.UserProperty{Key: name, Value: "boss"})
	}
	if answer, err := client.Publish(bounded(t), &paho.Publish{Topic: "own", QoS: 1, Payload: []byte("x"), Properties: &paho.PublishProperties{User: user}}); err != nil {
		t.Errorf("user properties: %v, %v", answer, err)
	}
	_ = client.Disconnect(&paho.Disconnect{})
	a.device("w", password("p"))
	output, ok := mosquittoPub(t, g.tcp, "w@"+a.name, "p", "-V", "mqttv5", "-t", "x", "-m", "x",
		"--will-topic", "w", "--will-payload", forgery, "-D", "will", "content-type", "application/cloudevents+json")
	if ok || !contains(output, "Unspecified error") {
		t.Errorf("a will: %q", output)
	}
	a.expectStory("refused messages", "d", "connected", "own: x", "disconnected")
	for _, r := range a.records() {
		for name, value := range r.headers {
			if strings.Contains(value, "boss") {
				t.Errorf("%s is %q", name, value)
			}
		}
		if r.headers["ce_subject"] == "own" && (r.headers["ce_unit"] != "celsius" || r.headers["ce_hwaddr"] != "" || r.headers["ce_device"] != "d") {
			t.Errorf("attributes %v", r.headers)
		}
	}
}

func TestSchemasThatAreNoURI(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	send := func(schema string) answer {
		t.Helper()
		return curl(t, nil, "--user", "d@"+a.name+":p", "--request", "POST", "--get", "--data-urlencode", "data_schema="+schema, here.telemetry.URL()+"/v1/x")
	}
	for _, schema := range []string{
		"https://x.example/{id}.json", "https://x.example/a|b", "https://x.example/#a#b", "https://x.example/%4", "https://x.example/a b", "http://[::1", "urn:", "mod5",
	} {
		if got := send(schema); got.status != 400 || !strings.Contains(got.body, "data_schema") {
			t.Errorf("%q: %d %s", schema, got.status, got.body)
		}
	}
	accepted(t, "a URI", send("https://x.example/a%7Bid%7D?b#c"))
	if r := a.only(); r.headers["ce_dataschema"] != "https://x.example/a%7Bid%7D?b#c" {
		t.Errorf("schema %q", r.headers["ce_dataschema"])
	}
}

// packed is a text in a content coding.
func packed(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if coding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestContentCodings(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	send := func(channel, coding, body string, arguments ...string) answer {
		t.Helper()
		arguments = append(arguments, "--header", "Content-Encoding: "+coding)
		return post(t, here.telemetry.URL()+"/v1/"+channel, "d@"+a.name+":p", body, append(arguments, mediaType(jsonContent)...)...)
	}
	accepted(t, "gzip", send("gzip", "gzip", packed(t, "gzip", `{"a": 1}`)))
	accepted(t, "deflate", send("deflate", "Deflate", packed(t, "deflate", `{"a": 2}`)))
	accepted(t, "identity", send("identity", "identity", `{"a": 3}`))
	for _, coding := range []string{"br", "zstd", "gzip, gzip", "x"} {
		if got := send("x", coding, "x"); got.status != 415 || got.header.Get("Accept-Encoding") != "gzip, deflate" {
			t.Errorf("%s: %d %s %v", coding, got.status, got.body, got.header)
		}
	}
	if got := send("x", "gzip", "x"); got.status != 400 {
		t.Errorf("no gzip: %d %s", got.status, got.body)
	}
	if got := send("x", "gzip", packed(t, "gzip", `"`+strings.Repeat("x", maxBody)+`"`)); got.status != 413 {
		t.Errorf("too large: %d %s", got.status, got.body)
	}
	if got := send("x", "gzip", packed(t, "gzip", `{`)); got.status != 406 || !strings.Contains(got.body, "JSON") {
		t.Errorf("broken JSON: %d %s", got.status, got.body)
	}
	stored := a.bySubject()
	for channel, want := range map[string]string{"gzip": `{"a":1}`, "deflate": `{"a":2}`, "identity": `{"a":3}`} {
		if got := stored[channel].payload; got != want {
			t.Errorf("%s is stored as %q", channel, got)
		}
	}
	if len(stored) != 3 {
		t.Errorf("%d are stored", len(stored))
	}
}

// TestOneAuthorization has curl send two.
func TestOneAuthorization(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	basic := strings.TrimPrefix(authorization("d@"+a.name, "p")[1], "4209,Basic ")
	right, wrong := []string{"--header", "Authorization: Basic " + basic}, []string{"--header", "authorization: Basic eDp5"}
	body := `{"end_device_ids":{"device_id":"d"},"join_accept":{}}`
	for _, url := range []string{here.telemetry.URL() + "/v1/x", here.remote.URL() + "/v1/x", here.ttn.URL() + "/ttn/v3"} {
		refused(t, url, curl(t, []byte(body), append(append(right[:2:2], wrong...), url)...))
		refused(t, url, curl(t, []byte(body), append(append(wrong[:2:2], right...), url)...))
		refused(t, url, curl(t, []byte(body), append(append(right[:2:2], right...), url)...))
		accepted(t, url, curl(t, []byte(body), "--header", "Authorization: bASIC "+basic, url))
	}
	question := `{"application":` + quote(a.name) + `,"device":"d","credential":{"pass":"p"}}`
	got := curl(t, []byte(question), "--header", "Authorization: Bearer a", "--header", "Authorization: Bearer b", here.auth.URL()+"/api/v1/auth")
	if got.status != 403 {
		t.Errorf("the authentication function: %d %s", got.status, got.body)
	}
}

// TestCoAPContent has libcoap's client send deflated bodies.
func TestCoAPContent(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	file := filepath.Join(t.TempDir(), "body")
	send := func(format, channel, body string) coapAnswer {
		t.Helper()
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return coapClient(t, "notls", append(authorization("d@"+a.name, "p"), "-m", "post", "-t", format, "-f", file, s.plain("/v1/"+channel))...)
	}
	send("11050", "json", packed(t, "deflate", `{"a": 1}`)).expect(t, "deflated JSON", "2.04")
	send("11060", "cbor", packed(t, "deflate", "\x18\x2a")).expect(t, "deflated CBOR", "2.04")
	send("11050", "x", `{"a": 1}`).expect(t, "JSON that is not deflated", "4.00")
	send("11050", "x", packed(t, "deflate", "{")).expect(t, "deflated broken JSON", "4.06")
	send("11060", "x", packed(t, "deflate", strings.Repeat("x", maxBody+1))).expect(t, "too large", "4.13")
	coapClient(t, "notls", append(authorization("d@"+a.name, "p"), "-m", "post", "-e", "x", s.plain("/v1/x?data_schema=https%3A%2F%2Fx.example%2F%7Bid%7D"))...).expect(t, "no URI", "4.00")
	stored := a.bySubject()
	if len(stored) != 2 || stored["json"].payload != `{"a":1}` || stored["json"].headers["content-type"] != "application/json" ||
		stored["cbor"].payload != "\x18\x2a" || stored["cbor"].headers["content-type"] != "application/cbor" {
		t.Errorf("stored %v", stored)
	}
}

// TestCoAPFormatErrors sends confirmable messages that are none, and wants each reset.
func TestCoAPFormatErrors(t *testing.T) {
	s := startCoAP(t)
	connection, err := net.Dial("udp", s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"49021234313233343536373839", "40021235f1000078", "4f021236", "400212370f", "40021238ff", "40021239bf78", "4002123ad2", "4000123bff78", "4100123c01", "4021123d", "40c0123e",
	} {
		message, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := connection.Write(message); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 2048)
		n, err := connection.Read(answer)
		if want := []byte{0x70, 0, message[2], message[3]}; err != nil || !bytes.Equal(answer[:n], want) {
			t.Errorf("%s is answered with %x, %v; want %x", text, answer[:n], err, want)
		}
	}
}

// TestCoAPWithBothKindsOfSuites has OpenSSL's client offer suites with certificates before those with its key.
func TestCoAPWithBothKindsOfSuites(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	command := exec.CommandContext(bounded(t), "openssl", "s_client", "-dtls1_2", "-connect", s.SecureAddress().String(), "-quiet",
		"-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256",
		"-psk_identity", "d@"+a.name, "-psk", hex.EncodeToString([]byte("key")))
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// POST /v1/key, confirmable, without a token.
	if _, err := io.WriteString(input, "\x40\x02\x00\x01\xb2v1\x03key\xff1"); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the message to be stored", func() bool { return len(a.records()) > 0 })
	_ = command.Process.Kill()
	_ = command.Wait() // it was killed
	if r := a.only(); r.headers["ce_device"] != "d" || r.headers["ce_subject"] != "key" || r.payload != "1" {
		t.Errorf("stored %v %q\n%s", r.headers, r.payload, output.Bytes())
	}
}

// TestLargeWebhooks has webhooks taken that are larger than a message may be, where only a part of them is stored.
func TestLargeWebhooks(t *testing.T) {
	body := sample(t, "v3-uplink_message-drogue-2.json")
	large := strings.TrimSuffix(strings.TrimSpace(body), "}") + `,"padding":"`
	large += strings.Repeat("x", 256<<10-len(large)-2) + `"}`
	for _, payload := range []string{"raw", "fields"} {
		a := network(t, body, `,"ttn":{"payload":"`+payload+`"}`)
		accepted(t, payload, post(t, here.ttn.URL()+"/ttn/v3", "ttn-gateway@"+a.name+":lora", large, mediaType(jsonContent)...))
		if got := post(t, here.ttn.URL()+"/ttn/v3", "ttn-gateway@"+a.name+":lora", large+" ", mediaType(jsonContent)...); got.status != 413 {
			t.Errorf("%s, one byte more: %d %s", payload, got.status, got.body)
		}
		if r := a.only(); r.headers["ce_sender"] != "ttn-gateway" || len(r.payload) > 1000 {
			t.Errorf("%s: of %q, %d bytes", payload, r.headers["ce_sender"], len(r.payload))
		}
	}
	whole := network(t, body, "")
	if got := post(t, here.ttn.URL()+"/ttn/v3", "ttn-gateway@"+whole.name+":lora", large, mediaType(jsonContent)...); got.status != 413 {
		t.Errorf("stored whole: %d %s", got.status, got.body)
	}
}
