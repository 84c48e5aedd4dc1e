//go:build integration

package e2e

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// An openssl makes certificates with the program of that name, in a folder. Each has a name, which that of its files is.
type openssl struct {
	t   *testing.T
	dir string
}

func newOpenSSL(t *testing.T) *openssl {
	t.Helper()
	return &openssl{t, t.TempDir()}
}

func (o *openssl) run(arguments ...string) {
	o.t.Helper()
	command := exec.CommandContext(bounded(o.t), "openssl", arguments...)
	command.Dir = o.dir
	if output, err := command.CombinedOutput(); err != nil {
		o.t.Fatalf("openssl %q: %v\n%s", arguments, err, output)
	}
}

func (o *openssl) file(name string) string { return filepath.Join(o.dir, name) }

func (o *openssl) read(name string) []byte {
	o.t.Helper()
	content, err := os.ReadFile(o.file(name))
	if err != nil {
		o.t.Fatal(err)
	}
	return content
}

// authority makes an authority that has signed itself.
func (o *openssl) authority(name, subject string, extensions ...string) {
	o.t.Helper()
	arguments := []string{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-keyout", name + ".key", "-out", name + ".crt", "-subj", subject}
	for _, extension := range extensions {
		arguments = append(arguments, "-addext", extension)
	}
	o.run(arguments...)
}

// issue makes a certificate with some extensions that an authority signs, for so many days.
func (o *openssl) issue(name, subject, issuer, days string, extensions ...string) {
	o.t.Helper()
	o.run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name+".key", "-out", name+".csr", "-subj", subject)
	if err := os.WriteFile(o.file(name+".ext"), []byte(strings.Join(extensions, "\n")+"\n"), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.run("x509", "-req", "-in", name+".csr", "-CA", issuer+".crt", "-CAkey", issuer+".key", "-CAcreateserial", "-days", days,
		"-extfile", name+".ext", "-out", name+".crt")
}

// chain puts the certificates of intermediate authorities behind a device's own.
func (o *openssl) chain(name string, issuers ...string) {
	o.t.Helper()
	text := o.read(name + ".crt")
	for _, issuer := range issuers {
		text = append(text, o.read(issuer+".crt")...)
	}
	if err := os.WriteFile(o.file(name+".crt"), text, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

const (
	forClients = "extendedKeyUsage=clientAuth"
	forServers = "extendedKeyUsage=serverAuth"
	issues     = "basicConstraints=critical,CA:TRUE"
	issuesLast = "basicConstraints=critical,CA:TRUE,pathlen:0"
)

// deviceCertificates makes certificates of the device "device" in the files that the result names, with whether they admit it. The first
// ones are single certificates.
func deviceCertificates(o *openssl, application string) (single, chains map[string]bool) {
	subject := "/O=Fairlead/CN=device"
	o.authority("ca", "/CN="+application)
	o.authority("impostor", "/CN="+application)
	o.issue("plain", subject, "ca", "2", forClients)
	o.issue("without-usage", subject, "ca", "2", "basicConstraints=CA:FALSE")
	o.issue("any-usage", subject, "ca", "2", "extendedKeyUsage=anyExtendedKeyUsage")
	o.issue("for-servers", subject, "ca", "2", forServers)
	o.issue("expired", subject, "ca", "-1", forClients)
	o.issue("foreign", subject, "impostor", "2", forClients)
	o.issue("unknown", "/O=Fairlead/CN=unknown", "ca", "2", forClients)
	o.issue("disabled", "/O=Fairlead/CN=disabled", "ca", "2", forClients)
	single = map[string]bool{"plain": true, "without-usage": true, "any-usage": true, "for-servers": false, "expired": false, "foreign": false,
		"unknown": false, "disabled": false}

	o.issue("last", "/CN=last", "ca", "2", issuesLast)
	o.issue("below-last", "/CN=below last", "last", "2", issues)
	o.issue("no-authority", "/CN=no authority", "ca", "2", "basicConstraints=critical,CA:FALSE")
	o.issue("servers-only", "/CN=servers only", "ca", "2", issues, forServers)
	o.issue("plant", "/CN=plant", "ca", "2", issues, "nameConstraints=critical,permitted;DNS:plant.example")
	o.issue("fairlead", "/CN=fairlead", "ca", "2", issues, "nameConstraints=critical,permitted;dirName:subtree", "[subtree]", "O=FAIRLEAD")
	o.issue("elsewhere", "/CN=elsewhere", "ca", "2", issues, "nameConstraints=critical,permitted;dirName:subtree", "[subtree]", "O=Elsewhere")
	chained := func(name string, admitted bool, issuer string, issuers []string, extensions ...string) {
		o.issue(name, subject, issuer, "2", append(extensions, forClients)...)
		o.chain(name, issuers...)
		chains[name] = admitted
	}
	chains = map[string]bool{}
	chained("through-last", true, "last", []string{"last"})
	chained("too-long", false, "below-last", []string{"below-last", "last"})
	chained("of-no-authority", false, "no-authority", []string{"no-authority"})
	chained("of-servers-only", false, "servers-only", []string{"servers-only"})
	chained("named-right", true, "plant", []string{"plant"}, "subjectAltName=DNS:pump.plant.example")
	chained("named-wrong", false, "plant", []string{"plant"}, "subjectAltName=DNS:pump.office.example")
	chained("below-right", true, "fairlead", []string{"fairlead"})
	chained("below-wrong", false, "elsewhere", []string{"elsewhere"})
	return single, chains
}

// TestCertificatesOfOpenSSL shows certificates that OpenSSL has made to every endpoint, with clients that others have written.
func TestCertificatesOfOpenSSL(t *testing.T) {
	o, a := newOpenSSL(t), newTenant(t)
	single, chains := deviceCertificates(o, a.name)
	a.trust(o.read("ca.crt"))
	a.device("device", certified("device"))
	a.device("disabled", `{"core":{"disabled":true},"alias":[`+quote(subjectOf("disabled"))+`]}`)
	mqtt, coap, web := ownMQTT(t), startCoAP(t), ownHTTP(t)
	if err := os.WriteFile(o.file("servers.crt"), coap.servers.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	overMQTT := func(name string) bool {
		output, ok := mosquitto(t, "mosquitto_pub", mqtt.tls, "--debug", "--cert", o.file(name+".crt"), "--key", o.file(name+".key"), "--cafile", mqtt.ca, "-q", "1", "-t", name, "-m", "x")
		t.Logf("%s over MQTT: %v, %q", name, ok, output)
		return ok
	}
	overCoAP := func(name string) bool {
		return coapClient(t, "openssl", "-c", o.file(name+".crt"), "-j", o.file(name+".key"), "-R", o.file("servers.crt"), "-m", "post", "-e", "x", coap.secure("/v1/"+name)).code == "2.04"
	}
	overHTTP := func(name string) bool {
		status, err := exec.CommandContext(bounded(t), "curl", "-sS", "-o", os.DevNull, "-w", "%{http_code}", "--cacert", web.ca, "--cert", o.file(name+".crt"),
			"--key", o.file(name+".key"), "-d", "x", "https://"+web.address+"/v1/"+name).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v, %s", err, status)
		}
		return string(status) == "202"
	}
	protocols := []struct {
		name string
		send func(string) bool
	}{{"MQTT", overMQTT}, {"HTTP", overHTTP}, {"CoAP", overCoAP}}
	for _, protocol := range protocols {
		for name, admitted := range single {
			if got := protocol.send(name); got != admitted {
				t.Errorf("%s over %s: %v, want %v", name, protocol.name, got, admitted)
			}
		}
	}
	for _, protocol := range protocols[:2] { // coap-client shows no chains
		for name, admitted := range chains {
			if got := protocol.send(name); got != admitted {
				t.Errorf("%s over %s: %v, want %v", name, protocol.name, got, admitted)
			}
		}
	}
	a.trust(o.read("impostor.crt"))
	for _, protocol := range protocols {
		neighbour.Eventually(t, "the other authority to be trusted over "+protocol.name, func() bool { return protocol.send("foreign") })
		if protocol.send("plain") {
			t.Errorf("the authority that was removed admits over %s", protocol.name)
		}
	}
}

// An httpGateway is a process of the HTTP gateway, before a telemetry function.
type httpGateway struct{ address, ca string }

func ownHTTP(t *testing.T) httpGateway {
	t.Helper()
	key := "FAIRLEAD_ASSERTION_KEYS=" + strings.Repeat("k", 32)
	telemetry := ownTelemetry(t, key)
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	files := gatewayCertificate(t)
	address, err := gatewaybin.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	g, err := program.Start(bounded(t), "http", append(here.remoteAuthentication(), key, "FAIRLEAD_HTTP_TELEMETRY_URL="+telemetry.URL(),
		"FAIRLEAD_HTTP_TLS_ADDRESS="+address, "FAIRLEAD_HTTP_TLS_CERTIFICATE_FILE="+files.Certificate, "FAIRLEAD_HTTP_TLS_KEY_FILE="+files.Key)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return httpGateway{address, files.Authority}
}

// TestProvenKeyDecides has two applications trust the same key, and one of them prove it.
func TestProvenKeyDecides(t *testing.T) {
	o, office := newOpenSSL(t), officeOf(t, here.store)
	office.settings = append(office.settings, here.registry()...)
	api, g := office.open(), ownMQTT(t)
	owner, other := newTenant(t), newTenant(t)
	o.authority("ca", "/CN="+owner.name)
	o.issue("device", "/O=Fairlead/CN=device", "ca", "2", forClients)
	for _, each := range []*tenant{owner, other} {
		each.trust(o.read("ca.crt"))
		each.device("device", certified("device"))
	}
	send := func(channel string) bool {
		_, ok := mosquitto(t, "mosquitto_pub", g.tls, "--cert", o.file("device.crt"), "--key", o.file("device.key"), "--cafile", g.ca, "-q", "1", "-t", channel, "-m", "x")
		return ok
	}
	if send("undecided") {
		t.Error("nobody has proven the key, and one is taken for its owner")
	}
	certificate, err := registry.ParseCertificate(o.read("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	path := "/" + owner.name + "/trust-anchors/" + registry.Fingerprint(certificate)
	var given struct{ Code string }
	decode(t, office.do(api, "GET", path+"/code", "", 200), &given)
	o.issue("proof", "/CN="+given.Code, "ca", "1")
	office.do(api, "PUT", path+"/proof", `{"certificate":"`+base64.StdEncoding.EncodeToString(o.read("proof.crt"))+`"}`, 204)
	neighbour.Eventually(t, "the owner to be known", func() bool { return send("decided") })
	if lines := owner.awaitStory("device", 3); lines[1] != "decided: x" {
		t.Errorf("%q", lines)
	}
	other.empty()
}
