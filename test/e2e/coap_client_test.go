//go:build integration

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/test/authority"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/relay"
)

// large is a file whose content needs several blocks.
func large(t *testing.T) (path, content string) {
	t.Helper()
	content = strings.Repeat("0123456789abcdef", 1250)
	path = filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// TestCoAP sends with libcoap's client over UDP, with the cases of the ETSI plugtests that apply: confirmable and
// non-confirmable POST and PUT, paths and queries of several parts, tokens, blocks, and what is refused.
func TestCoAP(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["d"]}}`)
	login := authorization("d@"+a.name, "p")
	file, content := large(t)
	send := func(url string, arguments ...string) coapAnswer {
		return coapClient(t, "notls", append(append(arguments, login...), url)...)
	}
	send(s.plain("/v1/con-post"), "-m", "post", "-e", "1", "-t", "50").expect(t, "confirmable POST", "2.04")
	send(s.plain("/v1/con-put/a/b"), "-m", "put", "-e", "2").expect(t, "confirmable PUT", "2.04")
	send(s.plain("/v1/non-post"), "-m", "post", "-N", "-e", "3").expect(t, "non-confirmable POST", "2.04")
	send(s.plain("/v1/non-put"), "-m", "put", "-N", "-e", "4").expect(t, "non-confirmable PUT", "2.04")
	send(s.plain("/v1/token"), "-m", "post", "-T", "0102030405060708", "-e", "5").expect(t, "token of 8 bytes", "2.04")
	send(s.plain("/v1/query?as=sensor&data_schema=urn%3Ax"), "-m", "post", "-e", "6").expect(t, "several queries", "2.04")
	send(s.plain("/v1/large"), "-m", "post", "-f", file).expect(t, "large body", "2.04")
	send(s.plain("/v1/small-blocks"), "-m", "put", "-b", "64", "-f", file).expect(t, "blocks of 64", "2.04")
	send(s.plain("/v1/non-large"), "-m", "post", "-N", "-f", file).expect(t, "large non-confirmable body", "2.04")
	send(s.plain("/v1/cbor"), "-m", "post", "-t", "60", "-e", "a").expect(t, "CBOR", "2.04")

	send(s.plain("/v1/x"), "-m", "delete").expect(t, "DELETE", "4.05")
	send(s.plain("/v1/x"), "-m", "get").expect(t, "GET", "4.05")
	send(s.plain("/v2/x"), "-m", "post", "-e", "x").expect(t, "another path", "4.00")
	send(s.plain("/"), "-m", "get").expect(t, "the root", "4.00")
	send(s.plain("/.well-known/core"), "-m", "get").expect(t, "discovery", "4.04")
	send(s.plain("/v1/x"), "-m", "post", "-O", "65001,x", "-e", "x").expect(t, "unknown critical option", "4.02")
	send(s.plain("/v1/x"), "-m", "post", "-t", "50", "-e", "{").expect(t, "broken JSON", "4.06")
	send(s.plain("/v1/x?as=nobody"), "-m", "post", "-e", "x").expect(t, "as nobody", "4.03")
	huge := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, make([]byte, 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	send(s.plain("/v1/x"), "-m", "post", "-f", huge).expect(t, "too large", "4.13")
	coapClient(t, "notls", "-m", "post", "-e", "x", s.plain("/v1/x")).expect(t, "no log-in", "4.03")

	records := a.bySubject()
	f := func(subject, device, contentType, value string) {
		t.Helper()
		r := records[subject]
		if r.headers["ce_device"] != device || r.headers["content-type"] != contentType || r.payload != value {
			t.Errorf("%s: of %q, %q, %d bytes", subject, r.headers["ce_device"], r.headers["content-type"], len(r.payload))
		}
	}
	f("con-post", "d", "application/json", "1")
	f("con-put", "d", "application/json", "2")
	f("non-post", "d", "application/json", "3")
	f("non-put", "d", "application/json", "4")
	f("token", "d", "application/json", "5")
	f("query", "sensor", "application/json", "6")
	f("large", "d", "application/octet-stream", content)
	f("small-blocks", "d", "application/octet-stream", content)
	f("non-large", "d", "application/octet-stream", content)
	f("cbor", "d", "application/cbor", "a")
	if r := records["query"]; r.headers["ce_dataschema"] != "urn:x" || r.headers["ce_senderuid"] != a.deviceUID("d") {
		t.Errorf("schema %q, sender %q", r.headers["ce_dataschema"], r.headers["ce_senderuid"])
	}
	if len(records) != 10 {
		t.Errorf("%d subjects are stored", len(records))
	}
}

func TestCoAPWithAPreSharedKey(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	file, content := large(t)
	coapLibraries(t, func(t *testing.T, library string) {
		send := func(key, path string, arguments ...string) coapAnswer {
			return coapClient(t, library, append(append([]string{"-u", "d@" + a.name, "-k", key}, arguments...), s.secure(path))...)
		}
		send("key", "/v1/"+library, "-m", "post", "-e", library).expect(t, "POST", "2.04")
		send("key", "/v1/non-"+library, "-m", "post", "-N", "-e", "x").expect(t, "non-confirmable POST", "2.04")
		send("key", "/v1/large-"+library, "-m", "post", "-f", file).expect(t, "large body", "2.04")
		send("wrong", "/v1/x", "-m", "post", "-B", "3", "-e", "x").expect(t, "wrong key", "")
		coapClient(t, library, "-u", "nobody@"+a.name, "-k", "key", "-m", "post", "-B", "3", "-e", "x", s.secure("/v1/x")).expect(t, "unknown device", "")
		records := a.bySubject()
		if records[library].payload != library || records["non-"+library].payload != "x" || records["large-"+library].payload != content {
			t.Errorf("stored %v", len(records))
		}
	})
	a.device("d", `{"core":{"disabled":true},"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]}}`)
	coapLibraries(t, func(t *testing.T, library string) {
		coapClient(t, library, "-u", "d@"+a.name, "-k", "key", "-m", "post", "-B", "3", "-e", "x", s.secure("/v1/x")).expect(t, "disabled device", "")
	})
	if got := len(a.bySubject()); got != 6 {
		t.Errorf("%d subjects are stored, want 6", got)
	}
}

func TestCoAPWithACertificate(t *testing.T) {
	s := startCoAP(t)
	dir := t.TempDir()
	a := newTenant(t)
	// Two authorities of one name, which no other application of this registry uses.
	devices, strangers := authority.New(t, a.name), authority.New(t, a.name)
	a.trust(devices.PEM())
	a.device("Device 1", fmt.Sprintf(`{"alias":[%q]}`, authority.DistinguishedName("Device 1")))
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, s.servers.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	files := func(name string, of *authority.Authority) []string {
		certificate, key, err := authority.WriteFiles(dir, name, of.Issue("Device 1", nil))
		if err != nil {
			t.Fatal(err)
		}
		return []string{"-c", certificate, "-j", key, "-R", ca}
	}
	known, foreign := files("known", devices), files("foreign", strangers)
	coapLibraries(t, func(t *testing.T, library string) {
		send := func(files []string, path string) coapAnswer {
			return coapClient(t, library, append(files, "-m", "post", "-e", library, s.secure(path))...)
		}
		send(known, "/v1/"+library).expect(t, "known authority", "2.04")
		send(foreign, "/v1/x").expect(t, "foreign authority", "4.03")
		if r := a.bySubject()[library]; r.headers["ce_device"] != "Device 1" {
			t.Errorf("of %q", r.headers["ce_device"])
		}
	})
	a.device("Device 1", fmt.Sprintf(`{"core":{"disabled":true},"alias":[%q]}`, authority.DistinguishedName("Device 1")))
	coapLibraries(t, func(t *testing.T, library string) {
		neighbour.Eventually(t, "the device to be refused", func() bool {
			return coapClient(t, library, append(known, "-m", "post", "-e", "x", s.secure("/v1/disabled"))...).code == "4.03"
		})
	})
}

func TestCoAPCommands(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	_, content := large(t)
	deliver := func(t *testing.T, name, payload string) {
		t.Helper()
		neighbour.Eventually(t, "the device to listen", func() bool {
			return s.hub.Deliver(command.Command{Application: a.name, Gateway: "d", Device: "d", Name: name, Payload: []byte(payload)}).Taken() > 0
		})
	}
	coapLibraries(t, func(t *testing.T, library string) {
		begin := func(arguments ...string) <-chan coapAnswer {
			answer := make(chan coapAnswer, 1)
			go func() {
				answer <- coapClient(t, library, append([]string{"-u", "d@" + a.name, "-k", "key"}, arguments...)...)
			}()
			return answer
		}
		waiting := begin("-m", "post", "-e", "x", s.secure("/v1/x?ct=20"))
		deliver(t, "SET", "on")
		got := <-waiting
		got.expect(t, "a command", "2.05")
		if got.body != "on" || !strings.Contains(got.options, "4210:SET") && !strings.Contains(got.options, `4210:\x53\x45\x54`) {
			t.Errorf("command %q, options %s", got.body, got.options)
		}
		waiting = begin("-m", "post", "-e", "x", s.secure("/v1/x?ct=20"))
		deliver(t, "SET", content)
		if got := <-waiting; got.body != content {
			t.Errorf("a large command: %d bytes, %s\n%s", len(got.body), got.code, clipped(got.log))
		}
		observing := begin("-m", "get", "-s", "4", s.secure("/v1/commands"))
		deliver(t, "SET", "first ")
		deliver(t, "SET", "second")
		if got := <-observing; got.body != "first second" {
			t.Errorf("observed %q\n%s", got.body, clipped(got.log))
		}
	})
}

// TestCoAPOverBadRadio has libcoap's client send large bodies through a relay that loses, repeats and delays.
func TestCoAPOverBadRadio(t *testing.T) {
	s := startCoAP(t)
	a := newTenant(t)
	a.device("d", keyed("p", "key"))
	file, content := large(t)
	bad, err := relay.Start(s.SecureAddress().String(), relay.Faults{Lose: .04, Repeat: .1, Delay: .1, MaxDelay: 100 * time.Millisecond, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	got := coapClient(t, "openssl", "-B", "50", "-u", "d@"+a.name, "-k", "key", "-m", "post", "-f", file, "coaps://"+bad.Address()+"/v1/x")
	got.expect(t, "a large body over bad radio", "2.04")
	if r := a.only(); r.payload != content {
		t.Errorf("stored %d bytes", len(r.payload))
	}
	if counts := bad.Counts(); counts.Lost == 0 || counts.Repeated == 0 || counts.Delayed == 0 {
		t.Errorf("the radio is not bad: %+v", counts)
	}
}
