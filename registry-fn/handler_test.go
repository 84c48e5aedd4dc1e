package registryfn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// certificateAuthority is a certificate as trust anchors have it: base64 of PEM.
func certificateAuthority(t *testing.T, name string) string {
	t.Helper()
	return newAuthority(t, name).text()
}

// An authority has a certificate and its key.
type authority struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.rename(name)
	return a
}

// rename makes another certificate for the key, which has signed it itself.
func (a *authority) rename(name string) {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Organization: []string{"Drogue IoT"}, OrganizationalUnit: []string{"Cloud"}, CommonName: name},
		NotBefore:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:         true, BasicConstraintsValid: true,
	}
	a.certificate = a.sign(template, template)
}

// issue signs a certificate with that common name.
func (a *authority) issue(name string) *x509.Certificate {
	a.t.Helper()
	now := time.Now()
	return a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: now, NotAfter: now.Add(time.Hour)}, a.certificate)
}

func (a *authority) sign(template, parent *x509.Certificate) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, a.key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return certificate
}

func (a *authority) text() string { return textOf(a.certificate) }

// textOf is a certificate as documents have it: base64 of PEM.
func textOf(c *x509.Certificate) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func TestPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	share(w)
	f := func(method, path string, status int, allow string) {
		t.Helper()
		a := w.as("alice", method, path, "")
		if a.status != status || a.header.Get("Allow") != allow || a.body != "" {
			t.Errorf("%s %s: %d %q, Allow %q, want %d, %q", method, path, a.status, a.body, a.header.Get("Allow"), status, allow)
		}
	}
	f("GET", "/", 404, "")
	f("GET", "/api/registry/v1alpha1", 404, "")
	f("GET", apps+"//devices", 404, "")
	f("GET", app+"/gateways", 404, "")
	f("GET", device+"/more", 404, "")
	f("DELETE", apps, 405, "GET, HEAD, POST")
	f("POST", device, 405, "DELETE, GET, HEAD, PATCH, PUT")
	f("OPTIONS", device, 405, "DELETE, GET, HEAD, PATCH, PUT")
	f("GET", admin+"/accept-ownership", 405, "PUT")
	if a := w.as("alice", "HEAD", apps, ""); a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD %s: %d %v", apps, a.status, a.header)
	}
	w.as("alice", "GET", apps+"/", "").want(t, 200, "-")

	a := w.as("alice", "GET", device, "")
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", a.header)
	}
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	w.as("", "GET", "/.well-known/drogue-version", "").want(t, 200, `{"version":"*"}`)
	w.as("", "GET", "/.well-known/drogue-endpoints", "").want(t, 200, `{"api":"https://api.example.com","registry":{"url":"https://api.example.com"}}`)
	w.as("alice", "GET", "/api/console/v1alpha1/info", "").want(t, 200, `{"api":"https://api.example.com","registry":{"url":"https://api.example.com"},"demos":[]}`)
	if a := w.as("", "GET", "/api/openapi.yaml", ""); a.body != string(description) {
		t.Errorf("the description is %.60q", a.body)
	}

	c := testConfig()
	c.Endpoints = EndpointsConfig{
		API: "https://api", Console: "https://console", HTTP: "https://http", MQTT: "mqtt:8883", MQTTWS: "wss://mqtt", MQTTWSBrowser: "wss://browser",
		COAP: "coaps://coap", MQTTIntegration: "[::1]:18883", MQTTIntegrationWS: "wss://mi", MQTTIntegrationWSBrowser: "wss://mib",
		WebsocketIntegration: "wss://ws", Issuer: "https://sso/realms/drogue/", Redirect: "https://back", Command: "https://command", Kafka: "kafka:9092", LocalCerts: true,
		SecureHTTP: "https://tls", SecureMQTT: "tls:8883", Authority: "PEM",
	}
	w.handler.endpoints = newEndpoints(&c.Endpoints)
	w.as("", "GET", "/.well-known/drogue-endpoints", "").want(t, 200, `{
		"api":"https://api","console":"https://console","coap":{"url":"coaps://coap"},"http":{"url":"https://http"},"mqtt":{"host":"mqtt","port":8883},
		"mqtt_ws":{"url":"wss://mqtt"},"mqtt_ws_browser":{"url":"wss://browser"},"mqtt_integration":{"host":"::1","port":18883},
		"mqtt_integration_ws":{"url":"wss://mi"},"mqtt_integration_ws_browser":{"url":"wss://mib"},"websocket_integration":{"url":"wss://ws"},
		"issuer_url":"https://sso/realms/drogue","redirect_url":"https://back","registry":{"url":"https://api"},"command_url":"https://command",
		"local_certs":true,"kafka_bootstrap_servers":"kafka:9092","http_tls":{"url":"https://tls"},"mqtt_tls":{"host":"tls","port":8883},"ca_certificates":"PEM"}`)
}

func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	f := func(origins []string, origin, method string, want string, status int) {
		t.Helper()
		w.handler.config.Origins = origins
		r := httptest.NewRequest(method, apps, nil)
		r.Header.Set("Origin", origin)
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "PATCH")
		}
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r)
		header := recorder.Header()
		if got := header.Get("Access-Control-Allow-Origin"); got != want || recorder.Code != status || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s from %s: %d, allowed %q, want %d, %q", method, origin, recorder.Code, got, status, want)
		}
		if header.Get("Vary") != "Origin" {
			t.Errorf("Vary %q", header.Get("Vary"))
		}
		if status == 204 && !strings.Contains(header.Get("Access-Control-Allow-Methods"), "PATCH") {
			t.Errorf("methods %q", header.Get("Access-Control-Allow-Methods"))
		}
	}
	const origin = "https://console.example.com"
	f([]string{"*"}, origin, "GET", origin, 200)
	f([]string{"*"}, origin, "OPTIONS", origin, 204)
	f([]string{"https://other", origin}, origin, "GET", origin, 200)
	f([]string{"https://other"}, origin, "GET", "", 200)
	f([]string{"https://other"}, origin, "OPTIONS", "", 405)
	f(nil, origin, "GET", "", 200)
}

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := testConfig()
		change(&c)
		err := c.Validate()
		if err == nil {
			err = c.Endpoints.Validate()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Origins = []string{"*", "https://a.example:8443"} }, "")
	f(func(c *Config) { c.Timeout = 0 }, "timeout: ")
	f(func(c *Config) { c.ListTimeout = time.Second }, "listTimeout: ")
	f(func(c *Config) { c.SweepInterval = 0 }, "sweepInterval: ")
	f(func(c *Config) { c.Origins = []string{"example.com"} }, "origins: ")
	f(func(c *Config) { c.Origins = []string{"https://example.com/"} }, "origins: ")
	f(func(c *Config) { c.Endpoints.API = "" }, "api: ")
	f(func(c *Config) { c.Endpoints.API = "api.example.com" }, "api: ")
	f(func(c *Config) { c.Endpoints.COAP = "x" }, "coap: ")
	f(func(c *Config) { c.Endpoints.MQTT = "mqtt" }, "mqtt: ")
	f(func(c *Config) { c.Endpoints.MQTT = "mqtt:0" }, "mqtt: ")
	f(func(c *Config) { c.Endpoints.MQTTIntegration = ":1883" }, "mqttIntegration: ")
}

// Whatever a request is, it is answered, and the answer keeps the contract.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", apps + "?labels=a%3Db", ""}, {"POST", apps, `{"metadata":{"name":"a"}}`}, {"PUT", device, `{"metadata":{"name":"d"},"spec":{"alias":["x"]}}`},
		{"PATCH", device, `{"metadata":{"labels":{"a":null}}}`}, {"DELETE", device, `{"preconditions":{"uid":"x"}}`}, {"PUT", admin + "/members", `{"members":{"bob":{"role":"admin"}}}`},
		{"POST", "/api/tokens/v1alpha1?description=x", `{"scope":{"permission":"Read"}}`},
		{"POST", "/api/tokens/v1alpha1", `{"scOpe":{"permission":"Read"}}`}, {"GET", "/.well-known/drogue-endpoints", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	w := newWorld(f)
	share(w)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		target, err := url.ParseRequestURI(path)
		if err != nil || method == "" {
			return
		}
		r, err := http.NewRequest(method, target.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		w.TB = t
		r.Header.Set("Authorization", "Bearer alice")
		if a := w.send(r, body); a.status >= 500 {
			t.Errorf("%s %s %q: %d %s", method, path, body, a.status, a.body)
		}
	})
}
