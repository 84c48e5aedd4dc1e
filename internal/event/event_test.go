package event

import (
	"strings"
	"testing"
)

func TestTopic(t *testing.T) {
	f := func(application, want string) {
		t.Helper()
		if got := Topic(application); got != want {
			t.Errorf("Topic(%q) = %q, want %q", application, got, want)
		}
	}
	f("foo", "events-foo")
	f("00foo", "events-00foo")
	f("FOO", "evt-901890a8e9c8cf6d5a1a542b229febff-foo")
	f("foo-", "evt-03f19ca8da08c40c2d036c8915d383e2-foo")
	f(strings.Repeat("0123456789", 7), "evt-109eb12c10c45d94ddac8eca7b818bed-01234567890123456789012345")
}

func TestOrigin(t *testing.T) {
	o := Origin{Application: "my-app", Device: "dev-1", Sender: "gate_way.é"}
	if got, want := o.Source(), "drogue://my-app/dev%2D1"; got != want {
		t.Errorf("Source() = %q, want %q", got, want)
	}
	if got, want := o.PartitionKey(), "my%2Dapp/gate%5Fway%2E%C3%A9"; got != want {
		t.Errorf("PartitionKey() = %q, want %q", got, want)
	}
}

func TestNormalize(t *testing.T) {
	f := func(contentType, body, wantType, wantData string) {
		t.Helper()
		gotType, data, err := Normalize(contentType, []byte(body))
		if wantType == "" {
			if err == nil {
				t.Errorf("Normalize(%q, %q) accepted", contentType, body)
			}
			return
		}
		if err != nil || gotType != wantType || string(data) != wantData {
			t.Errorf("Normalize(%q, %q) = %q, %q, %v; want %q, %q", contentType, body, gotType, data, err, wantType, wantData)
		}
	}
	f("application/json", ` {"b" : 1.50 , "a": [1, 2]} `, JSON, `{"b":1.50,"a":[1,2]}`)
	f("application/json; charset=utf-8", `1`, JSON, `1`)
	f("text/json", `"x"`, JSON, `"x"`)
	f("application/senml+json", `[]`, JSON, `[]`)
	f("application/senml+json;v=1", `[`, "application/senml+json;v=1", `[`)
	f("application/json", `{"a":1`, "", "")
	f("application/json", ``, "", "")
	f("text/plain", `{"a": 1}`, "text/plain", `{"a": 1}`)
	f("", `{"a": 1}`, JSON, `{"a":1}`)
	f("", `21.5`, JSON, `21.5`)
	f("", `hello`, OctetStream, `hello`)
	f("", ``, OctetStream, ``)
	f("", "\xff", OctetStream, "\xff")
}

func TestCompactJSON(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		got, err := compactJSON(nil, []byte(src))
		if want == "" {
			if err == nil {
				t.Errorf("compactJSON(%q) accepted as %q", src, got)
			}
			return
		}
		if err != nil || string(got) != want {
			t.Errorf("compactJSON(%q) = %q, %v; want %q", src, got, err, want)
		}
	}
	f(`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`)
	f(`{"a":1,"\u0061":2}`, `{"\u0061":2}`)
	f(`[{"x":{"a":1,"a":{"b":0,"b":1}}}, -0.5e+10]`, `[{"x":{"a":{"b":1}}},-0.5e+10]`)
	f(`{"😀":"\ud83d\ude00"}`, `{"😀":"\ud83d\ude00"}`)
	f(`"\ud83d"`, "")
	f(`"\ude00"`, "")
	f(`"\ud83dx"`, "")
	f(`"\u12g4"`, "")
	f(`"\x"`, "")
	f("\"a\tb\"", "")
	f(`1e400`, "")
	f(`1e-400`, `1e-400`)
	f(`01`, "")
	f(`-`, "")
	f(`1.`, "")
	f(`1e`, "")
	f(`[1,]`, "")
	f(`{"a":1,}`, "")
	f(`{"a"}`, "")
	f(`nul`, "")
	f(`1 2`, "")
	f(`"\`, "")
	f(strings.Repeat("[", 128)+strings.Repeat("]", 128), strings.Repeat("[", 128)+strings.Repeat("]", 128))
	f(strings.Repeat("[", 129)+strings.Repeat("]", 129), "")
	f(strings.Repeat("9", 400), "")

	var many strings.Builder
	many.WriteString(`{"k0":0`)
	for range 40 {
		many.WriteString(`, "k0":1`)
	}
	many.WriteString(`}`)
	f(many.String(), `{"k0":1}`)
}

func TestValidateDataSchema(t *testing.T) {
	f := func(schema string, valid bool) {
		t.Helper()
		if err := ValidateDataSchema(schema); (err == nil) != valid {
			t.Errorf("ValidateDataSchema(%q) = %v", schema, err)
		}
	}
	f("", true)
	f("urn:drogue:iot:temperature", true)
	f("https://example.com/schema#x", true)
	f("mod5", false)
	f("/relative", false)
	f("//host/path", false)
	f("http:", false)
	f("urn:a b", false)
	f("urn:\x00", false)
	f("urn:"+strings.Repeat("x", MaxDataSchema), false)
}

func TestValidateExtension(t *testing.T) {
	f := func(name, value string, valid bool) {
		t.Helper()
		if err := ValidateExtension(name, value); (err == nil) != valid {
			t.Errorf("ValidateExtension(%q, %q) = %v", name, value, err)
		}
	}
	f("lorawanport", "1", true)
	f("x1", "", true)
	f("sender", "x", false)
	f("partitionkey", "x", false)
	f("Upper", "x", false)
	f("a_b", "x", false)
	f("", "x", false)
	f(strings.Repeat("a", 21), "x", false)
	f("x", "a\nb", false)
	f("x", "\xff", false)
}

func TestValidateSubject(t *testing.T) {
	f := func(subject string, valid bool) {
		t.Helper()
		if err := ValidateSubject(subject); (err == nil) != valid {
			t.Errorf("ValidateSubject(%q) = %v", subject, err)
		}
	}
	f("temp", true)
	f("a/b c", true)
	f("", false)
	f("a\rb", false)
	f(strings.Repeat("x", MaxSubject+1), false)
}
