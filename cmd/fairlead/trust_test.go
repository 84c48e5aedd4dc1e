package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

// trusting makes authorities and certificates, and changes from one authority to the next.
func trusting(s *shell) {
	dir := s.t.TempDir()
	s.do("app", "create", "plant")
	s.do("device", "create", "pump/1", "--app", "plant")
	trust := func(what string, arguments ...string) (out, e string) {
		s.t.Helper()
		return s.do(append([]string{"trust", what, "--app", "plant"}, arguments...)...)
	}
	if _, e := trust("create", "--dir", dir); !strings.Contains(e, "the key is proven") || !strings.Contains(e, "fairlead trust issue DEVICE --dir "+quoted(dir)+"\n") {
		s.t.Error(e)
	}
	first := fingerprintIn(s.t, dir, "plant-ca")
	s.fails("there already", "trust", "create", "--app", "plant", "--dir", dir)
	_, hint := trust("issue", "pump/1", "--dir", dir)
	certificate, key := filepath.Join(dir, "pump_1.crt"), filepath.Join(dir, "pump_1.key")
	port, trusted := s.note.MQTTS[strings.LastIndex(s.note.MQTTS, ":")+1:], filepath.Join(dir, serverAuthority)
	for _, want := range []string{
		"mosquitto_pub -h 127.0.0.1 -p " + port + " --cafile " + quoted(trusted) + " --cert " + quoted(certificate) + " --key " + quoted(key) + " -q 1 ",
		"curl --cacert " + quoted(trusted) + " --cert " + quoted(certificate) + " --key " + quoted(key) + " ", s.note.HTTPS + "/v1/telemetry\n",
	} {
		if !strings.Contains(hint, want) {
			s.t.Errorf("%q, want %q in it", hint, want)
		}
	}
	if out, _ := s.do("device", "get", "pump/1", "--app", "plant"); !strings.Contains(out, "- O=Fairlead, OU=plant, CN=pump/1\n") || !strings.Contains(out, "trust-anchor: "+first) {
		s.t.Error(out)
	}
	s.fails("there already", "trust", "issue", "pump/1", "--app", "plant", "--dir", dir)
	s.fails("device none: not found", "trust", "issue", "none", "--app", "plant", "--dir", dir)
	trust("issue", "none", "--dir", dir, "--offline", "--for", "24h")
	s.fails("no such file", "trust", "issue", "pump/1", "--app", "plant", "--dir", dir, "--name", "other")
	s.fails("at most 64 characters", "trust", "issue", strings.Repeat("x", 65), "--app", "plant", "--dir", dir)

	trust("create", "--dir", dir, "--name", "plant-2027", "--for", "48h")
	second := fingerprintIn(s.t, dir, "plant-2027")
	list := func(want ...string) {
		s.t.Helper()
		out, _ := trust("list")
		got := regexp.MustCompile(`\t\d{4}-\d\d-\d\d\t`).ReplaceAllString(out, "\tDATE\t")
		if got != strings.Join(want, "") {
			s.t.Errorf("%s\nwant\n%s", got, strings.Join(want, ""))
		}
	}
	line := func(name, state string, devices int, fingerprint string) string {
		return fmt.Sprintf("O=Fairlead, CN=%s\t%s\tDATE\t%d\t%s\n", name, state, devices, fingerprint)
	}
	list(line("plant-ca", "proven", 1, first), line("plant-2027", "proven", 0, second))
	out, _ := trust("list", "-o", "json")
	var anchors []shownAnchor
	if err := json.Unmarshal([]byte(out), &anchors); err != nil || len(anchors) != 2 || anchors[1].Anchor.Fingerprint != second {
		s.t.Errorf("%s, %v", out, err)
	}
	if out, _ := s.do("__complete", "--", "trust", "remove", "--config", s.config, "--app", "plant", second[:4]); !strings.HasPrefix(out, second+"\t") {
		s.t.Errorf("completed as %q", out)
	}
	s.fails("1 device at least", "trust", "remove", "--app", "plant", first)
	trust("remove", "--yes", strings.ToUpper(first[:2])+":"+first[2:20])
	list(line("plant-2027", "proven", 0, second))
	trust("add", filepath.Join(dir, "plant-ca.crt"))
	list(line("plant-2027", "proven", 0, second), line("plant-ca", "not proven", 1, first))
	s.fails("no certificate of an authority", "trust", "add", "--app", "plant", certificate)
	s.fails("has the fingerprint", "trust", "remove", "--app", "plant", "--yes", "00zz")
	s.fails("needs the fingerprint", "trust", "prove", "--app", "plant", "--proof", certificate)
	s.fails("is not signed", "trust", "prove", "--app", "plant", second, "--proof", certificate)
	s.fails("where the key is elsewhere", "trust", "prove", "--app", "plant", "--name", "elsewhere")
	proveElsewhere(s, dir, first)
	list(line("plant-2027", "proven", 0, second), line("plant-ca", "proven", 1, first))
	trust("prove", "--dir", dir, "--name", "plant-2027")
}

// proveElsewhere has OpenSSL sign the code, by the commands that are printed.
func proveElsewhere(s *shell, dir, fingerprint string) {
	s.t.Helper()
	code, printed := s.do("trust", "prove", "--app", "plant", fingerprint)
	script := regexp.MustCompile(`(?m)^  openssl .*$`).FindAllString(printed, -1)
	if len(script) != 2 || !strings.Contains(script[0], strings.TrimSpace(code)) {
		s.t.Fatalf("%q, %q", code, printed)
	}
	command := exec.CommandContext(s.t.Context(), "sh", "-ec", strings.NewReplacer("ca.crt", "plant-ca.crt", "ca.key", "plant-ca.key").Replace(strings.Join(script, "\n")))
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%v, %s", err, output)
	}
	s.do("trust", "prove", "--app", "plant", fingerprint, "--proof", filepath.Join(dir, "proof.crt"))
}

// fingerprintIn is that of an authority in a folder, whose files must be for their owner only.
func fingerprintIn(t *testing.T, dir, name string) string {
	t.Helper()
	files := issuer.FilesOf(filepath.Join(dir, name))
	for _, file := range []string{files.Certificate, files.Key} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", file, err)
		}
	}
	ca, err := files.Read()
	if err != nil {
		t.Fatal(err)
	}
	if ca.Certificate.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("the key is for %v", ca.Certificate.PublicKeyAlgorithm)
	}
	return registry.Fingerprint(ca.Certificate)
}

func TestCertificateLines(t *testing.T) {
	f := func(e cloud.Endpoints, want ...string) {
		t.Helper()
		got := strings.Join(certificateLines(issuer.FilesOf("d"), func(*cloud.Endpoints) string { return "ca.crt" })(&e, "app"), "\n")
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%q, want %q in it", got, part)
			}
		}
		if len(want) == 0 && got != "" {
			t.Errorf("%q, want nothing", got)
		}
	}
	f(cloud.Endpoints{HTTP: &cloud.Place{URL: "http://example.com"}, CoAP: &cloud.Place{URL: "coap://example.com"}})
	f(cloud.Endpoints{MQTT: &cloud.Address{Host: "mqtt.example.com", Port: 8883}}, "-p 8883 --tls-use-os-certs --cert d.crt --key d.key -q 1")
	f(cloud.Endpoints{MQTT: &cloud.Address{Host: "127.0.0.1", Port: 1883}})
	f(cloud.Endpoints{MQTT: &cloud.Address{Host: "127.0.0.1", Port: 1883}, SecureMQTT: &cloud.Address{Host: "127.0.0.1", Port: 18883}, LocalCerts: true},
		"-h 127.0.0.1 -p 18883 --cafile ca.crt")
	f(cloud.Endpoints{HTTP: &cloud.Place{URL: "https://example.com/"}}, "curl --cert d.crt --key d.key", " https://example.com/v1/telemetry")
	f(cloud.Endpoints{HTTP: &cloud.Place{URL: "http://example.com/"}, SecureHTTP: &cloud.Place{URL: "https://example.com:8443"}, LocalCerts: true},
		"curl --cacert ca.crt --cert d.crt --key d.key", " https://example.com:8443/v1/telemetry")
	f(cloud.Endpoints{CoAP: &cloud.Place{URL: "coaps://example.com"}}, " -c d.crt -j d.key -R ca.crt", " coaps://example.com/v1/telemetry")
}

// TestTrustedFile has the authority of the servers written once, and nothing overwritten.
func TestTrustedFile(t *testing.T) {
	dir := t.TempDir()
	ca, err := issuer.NewAuthority(pkix.Name{CommonName: "servers"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw}))
	name := filepath.Join(dir, serverAuthority)
	f := func(given, want string) {
		t.Helper()
		if got := trustedFile(dir, &cloud.Endpoints{Authority: given}); got != want {
			t.Errorf("%.20q: %s, want %s", given, got, want)
		}
	}
	f("", serverAuthority)
	f("no certificate", serverAuthority)
	f(text, name)
	f(text, name)
	f(text+text, serverAuthority)
	if content, err := os.ReadFile(name); err != nil || string(content) != text {
		t.Errorf("%q, %v", content, err)
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{"pump": "pump", "../../pump": "_.._pump", "-rf": "rf", ".bashrc": "bashrc", "a:b\\c/d e": "a_b_c_d e", "..": "device"} {
		if got := fileName(name); got != want {
			t.Errorf("%q is written to %q, want %q", name, got, want)
		}
	}
}
