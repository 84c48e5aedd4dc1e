package registry

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOnlyExactNamesCount has members beside the ones that are meant whose names differ in case. CheckDevice says that nobody knows
// them, so they must have no effect.
func TestOnlyExactNamesCount(t *testing.T) {
	f := func(section, given, meant string) {
		t.Helper()
		read := func(text string) any {
			d := &Device{Metadata: Metadata{Name: "d"}, Spec: Sections{section: json.RawMessage(text)}}
			dialect, err := DialectOf(&Application{}, d)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			credentials, err := d.Credentials()
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			external, _, err := Decode[ExternalEndpoint](d.Spec, "external")
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			return []any{d.Spec.Enabled(), credentials, d.AcceptsGateway("g"), d.Payload(), d.DataSchema(1), dialect, external}
		}
		if diff := cmp.Diff(read(meant), read(given)); diff != "" {
			t.Errorf("%s is not read as %s:\n%s", given, meant, diff)
		}
	}
	f("core", `{"disabled":true,"Disabled":false}`, `{"disabled":true}`)
	f("core", `{"DISABLED":true}`, `{}`)
	f("core", `{"di\u017fabled":true}`, `{}`)
	for _, section := range []string{SectionAuthentication, SectionCredentials} {
		f(section, `{"credentials":[{"user":{"username":"u","password":"p","PASSWORD":"q","Username":"v","Unique":true}}]}`, `{"credentials":[{"user":{"username":"u","password":"p"}}]}`)
		f(section, `{"Credentials":[{"pass":"p"}]}`, `{}`)
		f(section, `{"credentials":[{"pass":"p"}],"CREDENTIALS":[]}`, `{"credentials":[{"pass":"p"}]}`)
		f(section, `{"credentials":[{"Pass":"p"},{"pass":"q","later":1}]}`, `{"credentials":[{},{"pass":"q"}]}`)
		f(section, `{"credentials":[{"psk":{"key":"AAAA","Key":"BBBB","Validity":{}}},{"psk":{"key":"AAAA","validity":{"notBefore":"2030-01-01T00:00:00Z","NotAfter":"2040-01-01T00:00:00Z"}}}]}`,
			`{"credentials":[{"psk":{"key":"AAAA"}},{"psk":{"key":"AAAA","validity":{"notBefore":"2030-01-01T00:00:00Z"}}}]}`)
	}
	f("gatewaySelector", `{"matchnames":["g"]}`, `{}`)
	f("gatewaySelector", `{"matchNames":["g"],"MatchNames":[]}`, `{"matchNames":["g"]}`)
	f("lorawan", `{"ports":{"1":{"data_schema":"urn:a","Data_Schema":"urn:b"}}}`, `{"ports":{"1":{"data_schema":"urn:a"}}}`)
	f("ttn", `{"payload":"raw","PAYLOAD":"fields"}`, `{"payload":"raw"}`)
	f("mqtt", `{"dialect":{"type":"plainTopic","DevicePrefix":true}}`, `{"dialect":{"type":"plainTopic"}}`)
	f("external", `{"url":"https://a.example","URL":"https://b.example","auth":{"bearer":{"token":"t","Token":"u"}}}`, `{"url":"https://a.example","auth":{"bearer":{"token":"t"}}}`)
}
