package registry

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutSecrets(t *testing.T) {
	f := func(section, given, want string) {
		t.Helper()
		d := &Device{Spec: Sections{section: json.RawMessage(given)}}
		got := string(d.WithoutSecrets().Spec[section])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", section, given, diff)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: a secret in %s", section, got)
		}
	}
	for _, section := range []string{SectionAuthentication, SectionCredentials} {
		f(section, `{"credentials":[{"pass":"hunter2"}]}`, `{"credentials":[{"pass":{}}]}`)
		f(section, `{"credentials":[{"pass":{"bcrypt":"hunter2"}},{"pass":{"sha512":"hunter2"}},{"pass":{"plain":"hunter2"}},{"pass":{"sha256":"hunter2"}}]}`, `{"credentials":[{"pass":{}},{"pass":{}},{"pass":{}},{"pass":{}}]}`)
		f(section, `{"credentials":[{"user":{"username":"x","password":"hunter2","unique":true}}]}`, `{"credentials":[{"user":{"unique":true,"username":"x"}}]}`)
		f(section, `{"credentials":[{"psk":{"key":"hunter2","validity":{"notBefore":"2030-01-01T00:00:00Z"}}}]}`, `{"credentials":[{"psk":{"validity":{"notBefore":"2030-01-01T00:00:00Z"}}}]}`)
		f(section, `{"credentials":[{"cert":"CN=x"}]}`, `{"credentials":[{"cert":"CN=x"}]}`)
		f(section, `{"credentials":[{"later":{"secretly":"hunter2"}},"hunter2"],"other":"hunter2"}`, `{"credentials":[{},{}]}`)
		f(section, `"hunter2"`, `{"credentials":[]}`)
	}
	f("commands", `{"commands":[{"external":{"url":"https://me:hunter2@a.example/x","headers":{"X":"hunter2"},"method":"POST"}}]}`, `{"commands":[{"external":{"method":"POST","url":"https://a.example/x"}}]}`)
	f(SectionTTN, `{"dev_eui":"1","app_key":"hunter2","App-Key":"hunter2"}`, `{"dev_eui":"1"}`)
	f("mine", `{"n":12345678901234567890,"text":"a@b","deep":[{"apiKey":"hunter2","x":null}]}`, `{"deep":[{"x":null}],"n":12345678901234567890,"text":"a@b"}`)
	f("kafka", `{"properties":{"sasl.password":"hunter2","sasl.jaas.config":"hunter2","sasl.mechanism":"PLAIN"},"ssl":{"keystorePassword":"hunter2"}}`,
		`{"properties":{"sasl.mechanism":"PLAIN"},"ssl":{}}`)
	f("mine", `{"app_s_key":"hunter2","WEBHOOK_SECRET":"hunter2","influx token":"hunter2","AppSKey":"hunter2","host":"h","keyboard":"x"}`, `{"host":"h","keyboard":"x"}`)
	f("mine", `["https://me:hunter2@h/p","https://me:hunter2%zz@h/p","https://me:a/hunter2@h","say: https://me:hunter2@h","mailto:a@b","https://h/@b"]`,
		`["https://h/p","https://h/p","https://h","say: https://h","mailto:a@b","https://h/@b"]`)
	f("mine", `{ "open" : true }`, `{ "open" : true }`) // as it was written
}

func TestHasSecrets(t *testing.T) {
	f := func(spec string, want bool) {
		t.Helper()
		if a := (&Application{Spec: Sections{"x": json.RawMessage(spec)}}); a.HasSecrets() != want {
			t.Errorf("HasSecrets of %s: %v", spec, !want)
		}
	}
	f(`{ "a": 1 }`, false)
	f(`{"endpoint":{"auth":{"user":"x","password":"y"}}}`, true)
	f(`{"endpoint":{"url":"https://u:p@h"}}`, true)
}
