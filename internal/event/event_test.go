package event

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding/format"
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
	f("application/senml+json;v=1", `[`, "", "")
	f("application/ld+json; profile=x", `{"a" : 1}`, JSON, `{"a":1}`)
	f("Application/JSON", `{"a" : 1}`, JSON, `{"a":1}`)
	f("APPLICATION/SENML+JSON ;v=1", `{broken`, "", "")
	f("application/json-seq", "\x1e{\"a\": 1}\n", "application/json-seq", "\x1e{\"a\": 1}\n")
	f("application/json5", `{a: 1,}`, "application/json5", `{a: 1,}`)
	f("application/jsonpath", `$.a`, "application/jsonpath", `$.a`)
	f("application/jsonl", `{} {}`, "application/jsonl", `{} {}`)
	f("text/json-x", `{`, "text/json-x", `{`)
	f("text/plain; x=+json", `{`, "text/plain; x=+json", `{`)
	f("application/x+json+gzip", `{`, "application/x+json+gzip", `{`)
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
		got, err := AppendJSON(nil, []byte(src))
		if want == "" {
			if err == nil {
				t.Errorf("AppendJSON(%q) accepted as %q", src, got)
			}
			return
		}
		if err != nil || string(got) != want {
			t.Errorf("AppendJSON(%q) = %q, %v; want %q", src, got, err, want)
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

// TestPlainText has each kind of byte at each place of texts around the eight that are looked at together.
func TestPlainText(t *testing.T) {
	for length := range 20 {
		text := bytes.Repeat([]byte("\x7f"), length)
		if got := plainText(text); got != length {
			t.Errorf("plainText(%q) = %d", text, got)
		}
		for at := range length {
			for c := range 256 {
				text[at] = byte(c)
				want := length
				if c < ' ' || c == '"' || c == '\\' {
					want = at
				}
				if got := plainText(text); got != want {
					t.Errorf("plainText(%q) = %d, want %d", text, got, want)
				}
			}
			text[at] = '\x7f'
		}
	}
}

func FuzzAppendJSONText(f *testing.F) {
	f.Add("plain")
	f.Add("a\"b\\c\x00\n\u2028é and more than eight")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		var read string
		if err := json.Unmarshal(AppendJSONText(nil, []byte(text)), &read); err != nil || read != text {
			t.Errorf("%q is read as %q, %v", text, read, err)
		}
	})
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
	for _, schema := range []string{
		"https://x.example/{id}.json", "https://x.example/a|b", "https://x.example/#a#b", "https://x.example/a^b", "https://x.example/`",
		`https://x.example/a\b`, "https://x.example/a b", "https://x.example/<a>", `https://x.example/"a"`, "https://x.example/%", "https://x.example/%4",
		"https://x.example/%zz", "https://x.example/?a[0]=1", "https://x.example/[a]", "https://x.example/é", "urn:é", "urn:", "urn:#a", "x:", "http://", "http://#a",
		"http://?a", "http://a:b", "http://a:99999", "http://a:1:2", "http://a@b@c", "http://u@", "http://:80", "http://[::1", "http://::1/", "http://[::1]x",
		"http://[1.2.3.4]/", "http://[v1.x]/", "http://[fe80::1%25eth0]/", "http://[::1]:x/", "http://a%20b/", "1x:a", ":a", "+x:a", "a_b:c", "urn:a\tb", "urn:a\u00a0b",
		"x:?", "x:?q", "http:?q", "https://1.2.3.256/", "https://a.1/", "https://999999999999/", "https://a.0x1/", "HTTPS://1.2/", "https://xn--a/", "https://a.xn--/",
		"https://a%25b/", "https://%C3%BC/", "ws://u@a%25b/", "https:///a", "https://u@:1/", "file://a:80/b", "file://u@a/b", "ftp://1.2.3.4.5/",
	} {
		f(schema, false)
	}
	for _, schema := range []string{
		"https://x.example", "https://x.example:8443/a/b;c=1,2/?q=a/b?c#f/g?h", "https://u:p@x.example/", "http://[::1]:80/", "http://[2001:db8::1]/a", "http://[::ffff:1.2.3.4]",
		"http://1.2.3.4:/x", "file:///etc/x", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "tag:example.com,2026:a", "a+b-c.d:x", "https://x.example/%7Ba%7D", "https://x_y.example/~a!$&'()*+,;=:@",
		"mailto:a@b.example", "dtmi:com:example:Thermostat;1", "x:/a", "x:a//b", "x:a?q", "x:/?q", "https://x.example?q", "https://xn--mnchen-3ya.example/", "https://a,b/",
		"https://1a.2b/", "https://1.2.3.4./", "file://a/b", "file://[::1]/b", "x://1.2.3.256/", "x://a:1/", "https:a",
	} {
		f(schema, true)
	}
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
	f("knativeerrorcode", "x", false)
	f("fairleadhops", "x", false)
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
	f(" ", false)
	f("a ", false)
	f("\u00a0a", false)
	f("a\u0085b", false)
	f("a\ufffeb", false)
	f("a\ufdd0b", false)
	f("a\U0010ffffb", false)
	f("a\ufffdb", true)
	f(strings.Repeat("x", MaxSubject+1), false)
}

func TestSetByDevices(t *testing.T) {
	f := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if got := SetByDevices(name); got != want {
				t.Errorf("SetByDevices(%q) = %v", name, got)
			}
		}
	}
	f(true, "unit", "sequence", "devicetype", "applicationversion", "timezone", "idle", "dataref", "know", "lora")
	f(false, "specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema", "data")
	f(false, "instance", "application", "applicationuid", "device", "deviceuid", "sender", "senderuid", "partitionkey")
	f(false, "traceparent", "tracestate", "authid", "authtype", "authclaims")
	f(false, "fairleadhops", "fairlead", "fairleadnext", "knativeerrordest", "knativeerrorcode", "knativeerrordata", "knativebrokerttl", "kafkaheaderx")
	f(false, "hwaddr", "lorawanport", "lorawanretry", "lorawandeveui", "lorawanfcnt", "lorawannext")
}

// Every attribute of a record that is not an extension of the message is one that devices cannot set.
func TestRecordsHoldNoNameOfDevices(t *testing.T) {
	e := sample()
	for _, h := range e.Record("events-x").Headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok && SetByDevices(name) {
			t.Errorf("devices can set %s", name)
		}
	}
	c := Change{Device: "d"}
	for _, h := range c.Record("x").Headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok && SetByDevices(name) {
			t.Errorf("devices can set %s", name)
		}
	}
}

func TestValidateContentType(t *testing.T) {
	f := func(valid bool, types ...string) {
		t.Helper()
		for _, contentType := range types {
			if err := ValidateContentType(contentType); (err == nil) != valid {
				t.Errorf("ValidateContentType(%q) = %v", contentType, err)
			}
		}
	}
	f(true, "", "text/plain", "Text/Plain;charset=UTF-8", "text/plain ; charset=utf-8", "text/plain;", "text/plain; a=\"b;c, \\\" d\"; e=f",
		"application/vnd.x.y+json", "application/cbor", "a/b", "multipart/form-data; boundary=----x", "application/cloud-events+json", "x/application-cloudevents",
		"text/plain; x=\"application/cloudevents+json\"", "application/senml+cbor;a=!#$%&'*+-.^_`|~", "a/b*")
	f(false, "text/plain; charset=utf-8 ", "text/plain; ", "text", "/", "text/", "/plain", " text/plain", "text /plain", "text/ plain", "text plain", "text/plain charset=utf-8", "text/plain, text/html", "image/jpeg, text/plain",
		"text/plain; charset", "text/plain;;", "text/plain; ;a=b", "text/plain; charset=", "text/plain; charset =utf-8", "text/plain; charset= utf-8", "text/plain; charset=utf 8",
		"text/plain; charset=\"utf-8", "text/plain; charset=\"utf-8\\", "text/plain; charset=\"utf-8\"x", "text/plain; =x", "text/plain; a=b; a=c", "text/plain; a=b; A=c", "text/plain; a=b,c",
		"text/plain; a=é", "text/plain; a=\"é\"", "text/plàin", "text/plain; a=\"\x01\"", "text/plain\r\nce_device: x", "*/*;q", "*/*", "text/*", "text/*; a=b", "*/plain", "text/pl@in", "text/(plain)", "text/plain/x", strings.Repeat("a", 200)+"/"+strings.Repeat("b", 200))
	f(false, "application/cloudevents", "application/cloudevents+json", "application/cloudevents+json; charset=utf-8", "Application/CloudEvents+JSON", "application/cloudevents-batch+json",
		"APPLICATION/CLOUDEVENTS-BATCH", "application/cloudevents+protobuf", "application/cloudevents+avro;x=y", "application/cloudevents ;a=b", "application/cloudevents+xml\t", "application/cloudevents2",
		"application/cloudevents;")
}

func FuzzContentType(f *testing.F) {
	for _, seed := range []string{"text/plain", "application/cloudevents+json; charset=utf-8", "a/b;c=\"\\\"\"", "text/plain;;", "a/b; c*=utf-8''x", "a/b;c*0=x", "A/B ; c=d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, contentType string) {
		if ValidateContentType(contentType) != nil || contentType == "" {
			return
		}
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != MediaType(contentType) {
			t.Errorf("%q is accepted; Go reads %q, %v; MediaType says %q", contentType, media, err, MediaType(contentType))
		}
		if format.IsFormat(contentType) || format.Lookup(contentType) != nil {
			t.Errorf("%q is accepted and makes a structured event", contentType)
		}
	})
}

func FuzzDataSchema(f *testing.F) {
	for _, seed := range []string{"urn:x", "https://a@b:1/c?d#e", "http://[::1]:80/", "https://x.example/{id}", "x:%zz", "file:///a"} {
		f.Add(seed)
	}
	// Appendix B of RFC 3986, with the characters of its sections 2 and 3.
	const unit = `(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*`
	grammar := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.\-]*:(?://(?:\[[0-9A-Fa-f:.]+\]|` + unit + `)*)?` + unit + `(?:#` + unit + `)?$`)
	f.Fuzz(func(t *testing.T, schema string) {
		if ValidateDataSchema(schema) != nil || schema == "" {
			return
		}
		if u, err := url.Parse(schema); err != nil || !u.IsAbs() || !grammar.MatchString(schema) {
			t.Errorf("%q is accepted: %v", schema, err)
		}
	})
}
