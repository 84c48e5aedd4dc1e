//go:build integration

package e2e

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// noCredentials are lists of credentials that prove nobody, because something was left out or left empty.
var noCredentials = []string{
	`[{"user":{"username":"x","password":null}}]`, `[{"user":{"username":"x","password":""}}]`, `[{"user":{"username":"x"}}]`,
	`[{"pass":null}]`, `[{"pass":""}]`, `[{"pass":{"plain":""}}]`, `[{"pass":{"bcrypt":""}}]`, `[{"pass":{"sha512":""}}]`,
	`[{"pass":{"plain":null}}]`, `[{"user":{"username":null,"password":null}}]`, `[{"cert":""}]`,
	`[{"psk":{"key":"\n"}}]`, `[{"psk":{"key":""}}]`, `[{"psk":{"key":null}}]`, `[{"psk":{}}]`, `[{"psk":null}]`, `[{}]`, `[null]`, `[]`, `null`,
}

// TestCredentialsThatAreNone has nobody admitted by them. The API takes them, and warns of what was hardly meant.
func TestCredentialsThatAreNone(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tenant(t)
		for i, credentials := range noCredentials {
			device := "d" + strconv.Itoa(i)
			got := s.device(a, device, `{"authentication":{"credentials":`+credentials+`}}`)
			if warned := strings.Contains(got.header.Get("Warning"), "spec.authentication.credentials"); warned != (credentials != "[]") {
				t.Errorf("%s: warned %v: %v", credentials, warned, got.header)
			}
			s.admitsNobody(t, a, credentials, device)
		}
		s.device(a, "absent", `{}`)
		s.admitsNobody(t, a, "absent", "absent")
		a.empty()
	})
}

// TestMisspeltCredentialsDoNotCount has members that the API says nobody knows beside those that were meant, and in their place.
func TestMisspeltCredentialsDoNotCount(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tenant(t)
		got := s.device(a, "beside", `{"authentication":{"credentials":[{"user":{"username":"u","password":"right","PASSWORD":"wrong"}}]}}`)
		if warning := got.header.Get("Warning"); !strings.Contains(warning, "is password meant?") {
			t.Errorf("the API warns of %q", warning)
		}
		s.device(a, "instead", `{"authentication":{"Credentials":[{"pass":"wrong"}]}}`)
		url := s.http + "/v1/x"
		eventuallyAdmitted(t, url+"?device=beside", "u@"+a.name+":right")
		refused(t, "beside", post(t, url+"?device=beside", "u@"+a.name+":wrong", "x"))
		refused(t, "instead", post(t, url, "instead@"+a.name+":wrong", "x"))
	})
}

// admitsNobody tries to log in as a device with nothing, by every protocol.
func (s *site) admitsNobody(t *testing.T, a *tenant, what, device string) {
	t.Helper()
	query, name := "/v1/x", device+"@"+a.name
	if strings.Contains(what, "username") {
		query, name = "/v1/x?device="+device, "x@"+a.name
	}
	refused(t, what, post(t, s.http+query, name+":", "x"))
	coapClient(t, "notls", append(authorization(name, ""), "-m", "post", "-e", "x", s.coap+query)...).expect(t, what, "4.03")
	output, ok := mosquittoPub(t, s.mqtt, strings.TrimSuffix(name, "@"+a.name), "", "-i", device+"@"+a.name, "-V", "mqttv5", "-q", "1", "-t", "x", "-m", "x")
	if ok || !contains(output, "Bad User Name or Password") {
		t.Errorf("%s: over MQTT: %q", what, output)
	}
	if strings.Contains(what, "psk") { // libcoap's clients send no empty key
		coapClient(t, "openssl", "-u", device+"@"+a.name, "-k", "null", "-m", "post", "-B", "2", "-e", "x", s.coaps+"/v1/x").expect(t, what, "")
	}
}

// TestCredentialsThatWereNotFilledIn has a registry file whose author forgot the passwords refused, or taken with --lenient, and
// then nobody is admitted by them.
func TestCredentialsThatWereNotFilledIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.yaml")
	text := "kind: Application\nmetadata:\n  name: app\n"
	fields := []string{"user:\n          username: x\n          password:", "pass:", "pass: ''", "psk:", "psk:\n          key:", "psk:\n          key: ''"}
	for i, field := range fields {
		text += "---\nkind: Device\nmetadata:\n  application: app\n  name: d" + strconv.Itoa(i) +
			"\nspec:\n  authentication:\n    credentials:\n      - " + field + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	devRefuses(t, "password: has no value", "--registry", file)
	s := ownDev(t, "--registry", file, "--lenient")
	a := &tenant{t: t, name: "app", topic: "events-app", broker: s.broker}
	for i, field := range fields {
		s.admitsNobody(t, a, field, "d"+strconv.Itoa(i))
	}
	a.empty()
}

// TestReadersSeeNoSecrets reads a public application without a log-in, as a web page would.
func TestReadersSeeNoSecrets(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tenant(t)
		credentials := `{"credentials":[{"pass":"s3cret-1"},{"user":{"username":"joe","password":{"plain":"s3cret-2"}}},
			{"pass":{"sha512":` + quote(sha512Crypt) + `}},{"psk":{"key":"czNjcmV0LTM="}},{"s3cret-4":"s3cret-5"}]}`
		s.device(a, "device", `{"authentication":`+credentials+`,"credentials":`+credentials+`,
			"mine":{"properties":{"sasl.password":"s3cret-6","app_s_key":"s3cret-7"},"urls":["https://me:s3cret-8%zz@h","https://me:a/s3cret-9@h"]}}`)
		admin := s.api + "/api/admin/v1alpha1/apps/" + a.name + "/members"
		members := append(s.manager[:len(s.manager):len(s.manager)], "--request", "PUT", "--header", "Content-Type: "+jsonContent, admin)
		if got := curl(t, []byte(`{"members":{"":{"role":"reader"}}}`), members...); got.status != 204 {
			t.Fatalf("making it public: %d %s", got.status, got.body)
		}
		const page = "https://page.example"
		for _, path := range []string{"/" + a.name, "/" + a.name + "/devices", "/" + a.name + "/devices/device"} {
			address := s.api + "/api/registry/v1alpha1/apps" + path
			got := curl(t, nil, "--header", "Origin: "+page, address)
			if got.status != 200 || !strings.Contains(got.body, a.name) {
				t.Errorf("GET %s: %d %s", path, got.status, got.body)
			}
			for _, secret := range []string{"s3cret", "czNjcmV0", "$6$"} {
				if strings.Contains(got.body, secret) {
					t.Errorf("GET %s shows %s: %s", path, secret, got.body)
				}
			}
			letsNoPageRead(t, address, got)
			asked := curl(t, nil, "--request", "OPTIONS", "--header", "Origin: "+page, "--header", "Access-Control-Request-Method: GET", address)
			letsNoPageRead(t, address, asked)
			managed := curl(t, nil, append(s.manager[:len(s.manager):len(s.manager)], address)...)
			if strings.Contains(path, "devices") && (!strings.Contains(managed.body, "s3cret-1") || !strings.Contains(managed.body, "czNjcmV0LTM=")) {
				t.Errorf("its manager reads %s", managed.body)
			}
		}
	})
}

// letsNoPageRead fails the test if a browser would let a page of another origin read an answer.
func letsNoPageRead(t *testing.T, address string, got answer) {
	t.Helper()
	for name, values := range got.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s is answered with %s %v", address, name, values)
		}
	}
}

// TestOneAuthorizationAtEveryPort has curl send two to every port that reads it.
func TestOneAuthorizationAtEveryPort(t *testing.T) {
	_, n := startDev(t)
	device, hook := "Basic "+base64Of("device1@example-app:hey-rodney"), "Basic "+base64Of("ttn-gateway@example-app:lora")
	token := url.Values{"grant_type": {"client_credentials"}}.Encode()
	join := `{"end_device_ids":{"device_id":"eui-1"},"join_accept":{}}`
	question := `{"application":"example-app","device":"device1","credential":{"pass":"hey-rodney"}}`
	for _, port := range []struct {
		url, right, body string
		want             int
	}{
		{n.HTTP + "/v1/x", device, "x", 202},
		{n.TTN, hook, join, 0},
		{n.API + "/api/command/v1alpha1/apps/example-app/devices/device1?command=x", "Bearer " + n.Account.AccessToken, "x", 0},
		{n.ConsumerWeb + "/example-app", "Bearer " + n.Account.AccessToken, "", 0},
		{n.API + "/api/registry/v1alpha1/apps", "Bearer " + n.Account.AccessToken, "", 200},
		{n.API + "/api/admin/v1alpha1/user/whoami", "Bearer " + n.Account.AccessToken, "", 200},
		{n.Auth + "/api/v1/auth", "Bearer " + n.AuthToken, question, 200},
		{n.Account.Issuer + "/oauth/token", "Basic " + base64Of(n.Account.Service+":"+n.Account.ServiceSecret), token, 200},
	} {
		send := func(headers ...string) int {
			t.Helper()
			var arguments []string
			for _, value := range headers {
				arguments = append(arguments, "--header", "Authorization: "+value)
			}
			var body []byte
			if port.body != "" {
				body = []byte(port.body)
			}
			return curl(t, body, append(arguments, port.url)...).status
		}
		if port.want != 0 {
			if got := send(port.right); got != port.want {
				t.Errorf("%s: %d, want %d", port.url, got, port.want)
			}
		}
		scheme, _, _ := strings.Cut(port.right, " ")
		for _, two := range [][]string{{port.right, port.right}, {port.right, scheme + " eDp5"}, {scheme + " eDp5", port.right}} {
			if got := send(two...); got != 403 {
				t.Errorf("%s: two are answered with %d", port.url, got)
			}
		}
	}
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
