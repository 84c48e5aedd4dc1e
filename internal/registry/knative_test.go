package registry

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func withKnative(section string) *Application {
	return &Application{Metadata: Metadata{Name: "app"}, Spec: Sections{SectionKnative: json.RawMessage(section)}}
}

func quotedPEM(t *testing.T) string {
	t.Helper()
	quoted, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority(t, true)})))
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

func TestPushEndpoint(t *testing.T) {
	f := func(section string, want ExternalEndpoint) {
		t.Helper()
		a := withKnative(section)
		got, err := a.PushEndpoint()
		if err != nil {
			t.Errorf("%s: %v", section, err)
			return
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section, diff)
		}
		if said := CheckApplication(a); len(said) > 0 {
			t.Errorf("%s: %v", section, said)
		}
	}
	const url = "https://example.com/events?x=1"
	f(`{"endpoint":{"url":"`+url+`"}}`, ExternalEndpoint{URL: url})
	f(`{"disabled":false,"disable":false,"group_id":"g","endpoint":{"url":"`+url+`","method":"PUT","auth":"none","tls":{"insecure":true},"headers":[],"timeout":"1m 30s"}}`,
		ExternalEndpoint{URL: url, Method: "PUT", TLS: EndpointTLS{Insecure: true}, Headers: []EndpointHeader{}, Timeout: Span(90 * time.Second)})
	f(`{"endpoint":{"url":"`+url+`","auth":{"basic":{"username":"u","password":"p"}}}}`, ExternalEndpoint{URL: url, Auth: EndpointAuth{Basic: &BasicAuth{"u", "p"}}})
	f(`{"endpoint":{"url":"`+url+`","auth":{"basic":{"username":"u"}}}}`, ExternalEndpoint{URL: url, Auth: EndpointAuth{Basic: &BasicAuth{Username: "u"}}})
	f(`{"endpoint":{"url":"`+url+`","auth":{"bearer":{"token":"t"}}}}`, ExternalEndpoint{URL: url, Auth: EndpointAuth{Bearer: &BearerAuth{"t"}}})
	f(`{"endpoint":{"url":"`+url+`","headers":[{"name":"X-A","value":"1"},{"X-B":"2"}]}}`, ExternalEndpoint{URL: url, Headers: []EndpointHeader{{"X-A", "1"}, {"X-B", "2"}}})
	certificate := quotedPEM(t)
	var text string
	_ = json.Unmarshal([]byte(certificate), &text)
	f(`{"endpoint":{"url":"`+url+`","tls":{"certificate":`+certificate+`}}}`, ExternalEndpoint{URL: url, TLS: EndpointTLS{Certificate: text}})
}

func TestPushEndpointOfNone(t *testing.T) {
	const endpoint = `"endpoint":{"url":"https://example.com"}`
	for _, section := range []string{`{}`, `null`, `{"disabled":true,` + endpoint + `}`, `{"disable":true,` + endpoint + `}`, `{"disabled":false,"disable":true,` + endpoint + `}`} {
		if e, err := withKnative(section).PushEndpoint(); !errors.Is(err, ErrNoPush) {
			t.Errorf("%s: %v, %v", section, e, err)
		}
	}
	if _, err := (&Application{}).PushEndpoint(); !errors.Is(err, ErrNoPush) {
		t.Errorf("without a section: %v", err)
	}
}

// TestPushEndpointRefuses checks that what cannot be used is an error that names its path, and is said when it is written.
func TestPushEndpointRefuses(t *testing.T) {
	f := func(endpoint, want string) {
		t.Helper()
		a := withKnative(`{"endpoint":` + endpoint + `}`)
		e, err := a.PushEndpoint()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", endpoint, e, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a secret in %v", endpoint, err)
		}
		if said := CheckApplication(a); len(said) == 0 {
			t.Errorf("%s: nothing is said", endpoint)
		}
	}
	const url = `"url":"https://example.com"`
	f(`{}`, "spec.knative.endpoint.url: is missing")
	f(`5`, "spec.knative.endpoint: must be an object")
	f(`{"url":"example.com"}`, "spec.knative.endpoint.url: must be")
	f(`{"url":"ftp://example.com"}`, "spec.knative.endpoint.url: must be")
	f(`{"url":"https://"}`, "spec.knative.endpoint.url: must be")
	f(`{"url":"https://u:hunter2@[/"}`, "spec.knative.endpoint.url: must be")
	f(`{`+url+`,"method":"P OST"}`, "spec.knative.endpoint.method: must be")
	f(`{`+url+`,"method":"CONNECT"}`, "spec.knative.endpoint.method: must not be")
	f(`{`+url+`,"auth":"hunter2"}`, "spec.knative.endpoint.auth: must be")
	f(`{`+url+`,"auth":{}}`, "spec.knative.endpoint.auth: must have exactly one of basic, bearer")
	f(`{`+url+`,"auth":{"basic":{"username":"a:b","password":"hunter2"}}}`, "spec.knative.endpoint.auth: has a user name with a colon")
	f(`{`+url+`,"auth":{"bearer":{"token":"hunter2\n"}}}`, "spec.knative.endpoint.auth: has a token")
	f(`{`+url+`,"auth":{"bearer":{}}}`, "spec.knative.endpoint.auth: ")
	f(`{`+url+`,"auth":{"basic":{"username":"u"},"bearer":{"token":"hunter2"}}}`, "spec.knative.endpoint.auth: must have exactly one of")
	f(`{`+url+`,"headers":[{"name":"X","value":"hunter2","other":1}]}`, "spec.knative.endpoint.headers[0]: a header is")
	f(`{`+url+`,"headers":[{"X":"1","Y":"2"}]}`, "spec.knative.endpoint.headers[0]: a header is")
	f(`{`+url+`,"headers":[`+strings.Repeat(`{"X":"1"},`, MaxEndpointHeaders)+`{"X":"1"}]}`, "spec.knative.endpoint.headers: more than")
	f(`{`+url+`,"timeout":"5"}`, "spec.knative.endpoint.timeout: must be a duration")
	f(`{`+url+`,"timeout":5}`, "spec.knative.endpoint.timeout: must be a text")
	f(`{`+url+`,"tls":{"certificate":"hunter2"}}`, "spec.knative.endpoint.tls.certificate: must hold a certificate")
}

// TestCheckKnativeWarns checks what is used as far as it can be.
func TestCheckKnativeWarns(t *testing.T) {
	f := func(section, want string) {
		t.Helper()
		a := withKnative(section)
		if _, err := a.PushEndpoint(); err != nil {
			t.Errorf("%s: %v", section, err)
		}
		var said []string
		for _, p := range CheckApplication(a) {
			said = append(said, p.String())
		}
		if !slices.Equal(said, []string{want}) {
			t.Errorf("%s: %q, want %s", section, said, want)
		}
	}
	const url = `"url":"https://example.com"`
	f(`{"endpoints":{},"endpoint":{`+url+`}}`, "spec.knative.endpoints: is not known; is endpoint meant?")
	f(`{"endpoint":{`+url+`,"headers":[{"name":"Content-Type","value":"x"}]}}`, "spec.knative.endpoint.headers[0]: is an attribute of the event, and not sent")
	f(`{"endpoint":{`+url+`,"headers":[{"ce-id":"x"}]}}`, "spec.knative.endpoint.headers[0]: is an attribute of the event, and not sent")
	f(`{"endpoint":{`+url+`,"headers":[{"Host":"x"}]}}`, "spec.knative.endpoint.headers[0]: belongs to the connection, and is not sent")
	f(`{"endpoint":{`+url+`,"headers":[{"a b":"x"}]}}`, "spec.knative.endpoint.headers[0]: has a name that no HTTP header can have")
	f(`{"endpoint":{`+url+`,"timeout":"0s"}}`, "spec.knative.endpoint.timeout: must be longer than 0")
	f(`{"endpoint":{`+url+`,"auth":{"basic":{"username":"u","pasword":"p"}}}}`, "spec.knative.endpoint.auth.basic.pasword: is not known; is password meant?")
	f(`{"endpoint":{`+url+`,"auth":{"bearer":{"token":"t"}},"headers":[{"authorization":"x"}]}}`, "spec.knative.endpoint: has a header Authorization, which auth takes the place of")
}

func TestEndpointSecretsAreHidden(t *testing.T) {
	a := withKnative(`{"endpoint":{"url":"https://u:hunter2@example.com","auth":{"basic":{"username":"u","password":"hunter2"}},"headers":[{"X-Key":"hunter2"},{"name":"A","value":"hunter2"}]}}`)
	if !a.HasSecrets() {
		t.Error("no secrets are seen")
	}
	if open := string(a.WithoutSecrets().Spec[SectionKnative]); strings.Contains(open, "hunter2") || !strings.Contains(open, "https://example.com") {
		t.Error(open)
	}
	e, err := withKnative(`{"endpoint":{"url":"https://example.com","auth":{"bearer":{"token":"hunter2"}},"headers":[{"X-Key":"hunter2"}]}}`).PushEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(format, e); strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s", format, text)
		}
	}
	basic := EndpointAuth{Basic: &BasicAuth{"u", "hunter2"}}
	if text := fmt.Sprintf("%+v %#v %v", basic, *basic.Basic, basic.Basic); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

func TestParseSpan(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		if got, err := ParseSpan(text); err != nil || time.Duration(got) != want {
			t.Errorf("%q: %v, %v, want %v", text, time.Duration(got), err, want)
		}
	}
	f("5s", 5*time.Second)
	f("500ms", 500*time.Millisecond)
	f("1m 30s", 90*time.Second)
	f("1m30s", 90*time.Second)
	f(" 2 minutes ", 2*time.Minute)
	f("1hour 12min 5s", time.Hour+12*time.Minute+5*time.Second)
	f("1d", 24*time.Hour)
	f("0s", 0)
	for _, bad := range []string{"", " ", "5", "s", "-5s", "1.5s", "5 fortnights", "5S", "9223372036854775807ns 1ns", "99999999999999999999s", "9223372036854775807s"} {
		if got, err := ParseSpan(bad); err == nil {
			t.Errorf("%q became %v", bad, got)
		}
	}
}

func FuzzKnative(f *testing.F) {
	f.Add(`{"endpoint":{"url":"https://example.com","auth":{"basic":{"username":"u"}},"headers":[{"a":"b"}],"timeout":"5s"}}`)
	f.Add(`{"endpoint":{"url":"https://example.com","auth":"none","tls":{"certificate":"x"}}}`)
	f.Add(`{"endpoint":{"auth":5,"headers":[null,{}]}}`)
	f.Fuzz(func(t *testing.T, section string) {
		if !json.Valid([]byte(section)) {
			return
		}
		a := withKnative(section)
		said := CheckApplication(a)
		if _, err := a.PushEndpoint(); err != nil && !errors.Is(err, ErrNoPush) && len(said) == 0 {
			t.Errorf("%s: %v, and nothing was said", section, err)
		}
	})
}
