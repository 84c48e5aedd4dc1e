package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// whole has every member of every section of a device that is read.
const whole = `{
	"core": {"disabled": true},
	"mqtt": {"dialect": {"type": "plainTopic", "devicePrefix": true}},
	"alias": ["other"],
	"gatewaySelector": {"matchNames": ["gateway"]},
	"lorawan": {"ports": {"1": {"data_schema": "urn:x"}}},
	"ttn": {"payload": "raw"},
	"authentication": {"credentials": [
		{"pass": "a"}, {"pass": {"plain": "b"}}, {"pass": {"bcrypt": "$2a$10$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}, {"pass": {"sha512": "$6$x$yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}},
		{"pass": {"sha256": "saltsalt$0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
		{"user": {"username": "u", "password": "c", "unique": true}},
		{"psk": {"key": "AAEC", "validity": {"notBefore": "2020-01-01T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}}},
		{"cert": "x"}
	]}
}`

func deviceWith(t *testing.T, spec string) *Device {
	t.Helper()
	d := &Device{Metadata: Metadata{Application: "app", Name: "device"}}
	if err := json.Unmarshal([]byte(spec), &d.Spec); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return d
}

func problemsOf(t *testing.T, spec string) []string {
	t.Helper()
	var all []string
	for _, p := range CheckDevice(deviceWith(t, spec)) {
		all = append(all, p.String())
	}
	return all
}

func TestCheckPassesWhatIsRight(t *testing.T) {
	for _, spec := range []string{
		whole, `{}`, `{"credentials":{"credentials":[]}}`, `{"code":{"a":1},"care":null,"x":{}}`, `{"ttn":{"dev_eui":"x"}}`,
		`{"commands":{"commands":[]}}`, `{"battery":{"core":1}}`, `{"authorization":{}}`,
	} {
		if got := problemsOf(t, spec); len(got) > 0 {
			t.Errorf("%s: %v", spec, got)
		}
	}
}

func TestCheckDevice(t *testing.T) {
	f := func(spec string, want ...string) {
		t.Helper()
		if got := problemsOf(t, spec); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", spec, got, want)
		}
	}
	f(`{"core":{"disable":true}}`, "spec.core.disable: is not known; is disabled meant?")
	f(`{"core":{"x":1}}`, "spec.core.x: is not known; known are disabled")
	f(`{"authentication":{"credentials":[{"user":{"username":"u","pasword":"p"}}]}}`,
		"spec.authentication.credentials[0].user.pasword: is not known; is password meant?", "spec.authentication.credentials[0].user: lacks password")
	f(`{"authentication":{"credentials":[{"password":"p"}]}}`, "spec.authentication.credentials[0].password: is not known; is pass meant?")
	f(`{"authentication":{"pass":"p"}}`, "spec.authentication.pass: is not known; known are credentials")
	f(`{"authentication":{"credentials":[{"pass":null}]}}`, "spec.authentication.credentials[0].pass: has no value; leave it out, or give it one")
	f(`{"authentication":{"credentials":[{"pass":""}]}}`, "spec.authentication.credentials[0].pass: is empty, and admits nobody")
	for _, cut := range []string{"x", "$2a$", "$2b$10$"} {
		f(`{"authentication":{"credentials":[{"pass":{"bcrypt":"`+cut+`"}}]}}`, "spec.authentication.credentials[0].pass: is no bcrypt hash, and admits nobody")
	}
	for _, cut := range []string{"x", "$6$", "$6$salt$", "$6$rounds=5000$salt$sum"} {
		f(`{"authentication":{"credentials":[{"pass":{"sha512":"`+cut+`"}}]}}`, "spec.authentication.credentials[0].pass: is no hash of SHA-512 crypt, and admits nobody")
	}
	f(`{"authentication":{"credentials":[{"pass":{"sha256":"x"}}]}}`,
		"spec.authentication.credentials[0].pass: is no salted SHA-256 (a salt is 8 to 64 letters and digits), and admits nobody")
	f(`{"authentication":{"credentials":[{}]}}`, "spec.authentication.credentials[0]: must have exactly one of cert, pass, psk, user")
	f(`{"authentication":{"credentials":[{"psk":{"key":""}}]}}`, "spec.authentication.credentials[0].psk.key: is empty, and admits nobody")
	f(`{"authentication":{"credentials":[{"psk":{"key":"AA==","validity":{"notAfter":"2030-01-01T00:00:00Z"}}}]}}`, "spec.authentication.credentials[0].psk.validity: lacks notBefore")
	f(`{"authentication":{},"credentials":{}}`, "spec.credentials: is not read, since there is spec.authentication")
	f(`{"gatewaySelector":{"matchName":["x"]}}`, "spec.gatewaySelector.matchName: is not known; is matchNames meant?")
	f(`{"ttn":{"payload":"row"}}`, "spec.ttn.payload: must be one of raw, fields")
	f(`{"trustAnchors":{}}`, "spec.trustAnchors: is a section of applications only")
	f(`{"core":{"a\"\n\u00e4":1}}`, `spec.core."a\"\n\u00e4": is not known; known are disabled`)
	for name, near := range map[string]string{
		"authentification": "authentication", "Authentication": "authentication", "authenticate": "authentication", "credential": "credentials",
		"aliases": "alias", "gateway-selector": "gatewaySelector", "gatewaySelectors": "gatewaySelector", "gatwaySelector": "gatewaySelector",
		"loRaWAN": "lorawan", "cores": "core", "croe": "core", "mqt": "mqtt", "TTN": "ttn",
	} {
		f(fmt.Sprintf(`{%q:{}}`, name), "spec."+name+": is no section that is read; is "+near+" meant?")
	}
	if got := problemsOf(t, `{"core":{`+strings.TrimSuffix(strings.Repeat(`"x":1,`, 5), ",")+`}}`); len(got) != 1 {
		t.Errorf("a member that is there more than once: %q", got)
	}
	var many []string
	for i := range 3 * MaxProblems {
		many = append(many, fmt.Sprintf(`"x%d":1`, i))
	}
	if got := problemsOf(t, `{"core":{`+strings.Join(many, ",")+`}}`); len(got) != MaxProblems {
		t.Errorf("%d problems of one document", len(got))
	}
}

func TestCheckApplication(t *testing.T) {
	a := &Application{Metadata: Metadata{Name: "app"}, Spec: Sections{
		"trustAnchors": json.RawMessage(`{"anchors":[{"certificate":"bm90aGluZw=="},{"certficate":""}]}`), "authentication": json.RawMessage(`{}`),
		"trustAnchor": json.RawMessage(`{}`),
	}}
	var got []string
	for _, p := range CheckApplication(a) {
		got = append(got, p.String())
	}
	want := []string{
		"spec.authentication: is a section of devices only",
		"spec.trustAnchor: is no section that is read; is trustAnchors meant?",
		"spec.trustAnchors.anchors[1].certficate: is not known; is certificate meant?",
		"spec.trustAnchors.anchors[1]: lacks certificate",
		"spec.trustAnchors.anchors[0].certificate: not an X.509 certificate",
		"spec.trustAnchors.anchors[1].certificate: the certificate is not a string",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestEveryMember takes away, empties and changes every value of a whole document in turn. What is no longer right is said,
// unless only something optional is gone, and never makes a credential that proves something.
func TestEveryMember(t *testing.T) {
	var spec any
	if err := json.Unmarshal([]byte(whole), &spec); err != nil {
		t.Fatal(err)
	}
	optional := []string{".disabled", ".unique", ".validity", ".dialect", ".devicePrefix", ".payload", ".data_schema", ".ports", ".1", ".matchNames", ".credentials"}
	seen := 0
	walk(spec, "spec", func(path string, set func(any), unset func()) {
		for _, odd := range []any{nil, "", map[string]any{}, []any{}, 5, true, "\u00e4", []any{nil}} {
			set(odd)
			seen++
			text, _ := json.Marshal(spec)
			d := deviceWith(t, string(text))
			credentials, err := d.Credentials()
			if said := CheckDevice(d); err == nil && d.Validate() == nil && len(said) == 0 && !passes(path, odd) {
				t.Errorf("%s: %T %v: nothing is said", path, odd, odd)
			}
			for _, c := range credentials {
				expectReal(t, path, c)
			}
		}
		unset()
		text, _ := json.Marshal(spec)
		d := deviceWith(t, string(text))
		if said := CheckDevice(d); len(said) == 0 && strings.Count(path, ".") > 1 && !slices.ContainsFunc(optional, func(o string) bool { return strings.HasSuffix(path, o) }) {
			t.Errorf("%s: left out, and nothing is said", path)
		}
	})
	if seen < 200 {
		t.Errorf("only %d changes", seen)
	}
}

// passes tells which of the odd values are right in a place.
func passes(path string, odd any) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch value := odd.(type) {
	case bool:
		return last == "disabled" || last == "unique" || last == "devicePrefix"
	case string:
		return last == "data_schema" || value != "" && (strings.HasPrefix(last, "matchNames[") || strings.HasPrefix(last, "alias[") ||
			last == "username" || last == "password" || last == "pass" || last == "plain" || last == "cert")
	case []any:
		return len(value) == 0 && (last == "credentials" || last == "matchNames" || last == "alias")
	case map[string]any: // whose members are all optional
		return last == "core" || last == "mqtt" || last == "gatewaySelector" || last == "lorawan" || last == "ports" || last == "1" || last == "ttn" || last == "authentication"
	}
	return false
}

// expectReal checks that what counts as a credential is none of nothing.
func expectReal(t *testing.T, path string, c Credential) {
	t.Helper()
	if c.Password != nil && !c.Password.None() && c.Password.Value == "" {
		t.Errorf("%s: an empty password counts", path)
	}
	if c.User != nil && !c.User.Password.None() && c.User.Password.Value == "" {
		t.Errorf("%s: an empty password of a user counts", path)
	}
}

// walk visits every value of a document; afterwards each is what it was.
func walk(value any, path string, visit func(path string, set func(any), unset func())) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			old := v[name]
			visit(path+"."+name, func(x any) { v[name] = x }, func() { delete(v, name) })
			v[name] = old
			walk(old, path+"."+name, visit)
		}
	case []any:
		for i := range v {
			old := v[i]
			visit(fmt.Sprintf("%s[%d]", path, i), func(x any) { v[i] = x }, func() { v[i] = map[string]any{} })
			v[i] = old
			walk(old, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"authentication":{"credentials":[{"pass":null},{}]},"trustAnchors":{"anchors":[{"certificate":"x"}]}}`))
	f.Fuzz(func(t *testing.T, spec []byte) {
		var s Sections
		if json.Unmarshal(spec, &s) != nil {
			return
		}
		problems := append(CheckDevice(&Device{Spec: s}), CheckApplication(&Application{Spec: s})...)
		if len(problems) > 2*MaxProblems+1 {
			t.Errorf("%d problems", len(problems))
		}
		for _, p := range problems {
			for _, b := range []byte(p.String()) {
				if b < ' ' || b > '~' {
					t.Fatalf("%q is not one line of ASCII", p)
				}
			}
		}
	})
}
