package auth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// acceptance is the registry of the wire contract's test catalogue, with some more.
func acceptance(t testing.TB) []any {
	return []any{
		application(t, "app1", ""),
		application(t, "off", `{"core":{"disabled":true}}`),
		application(t, "odd", `{"core":"on"}`),
		deleting(application(t, "leaving", "")),
		device(t, "off", "device1", `{"authentication":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "odd", "device1", `{"authentication":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "leaving", "device1", `{"authentication":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "app1", "device1", `{"authentication":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "app1", "device2", `{"alias":["second"],"authentication":{"credentials":[{"user":{"username":"user2","password":"bar"}}]}}`),
		device(t, "app1", "device3", `{"authentication":{"credentials":[{"user":{"username":"foo","password":"bar","unique":true}}]}}`),
		device(t, "app1", "device4", `{"authentication":{"credentials":[{"user":{"username":"device4","password":"bar"}}]}}`),
		device(t, "app1", "device5", `{"authentication":{"credentials":[{"pass":"one"},{"pass":"two"},{"pass":{"bcrypt":"`+bcryptBar+`"}},{"cert":"x"},{"psk":{"key":"AAEC"}}]}}`),
		device(t, "app1", "old", `{"credentials":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "app1", "both", `{"authentication":{"credentials":[{"pass":"new"}]},"credentials":{"credentials":[{"pass":"foo"}]}}`),
		device(t, "app1", "bare", ""),
		device(t, "app1", "unreadable", `{"authentication":{"credentials":"foo"}}`),
		device(t, "app1", "disabled", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"foo"}]}}`),
		deleting(device(t, "app1", "leaving", `{"authentication":{"credentials":[{"pass":"foo"}]}}`)),
		device(t, "app1", "plain", `{"authentication":{"credentials":[{"pass":{"plain":"foo"}}]}}`),
		device(t, "app1", "bcrypt", `{"authentication":{"credentials":[{"pass":{"bcrypt":"`+bcryptBar+`"}}]}}`),
		device(t, "app1", "sha512", `{"authentication":{"credentials":[{"pass":{"sha512":"`+sha512Baz+`"}}]}}`),
		device(t, "app1", "broken", `{"authentication":{"credentials":[{"pass":{"bcrypt":"$2a$x"}},{"pass":{"bcrypt":"$2a$31$abcdefghijklmnopqrstuuK9vZ9rXKBxzZKtz2nFGYTTrFMsqmRcq"}},{"pass":{"sha512":"$6$"}},{"pass":{"sha512":"$6$rounds=999999999$a$`+strings.Repeat(".", 86)+`"}}]}}`),
		device(t, "app1", "gateway", `{"alias":["front"],"authentication":{"credentials":[{"pass":"lora"}]}}`),
		device(t, "app1", "sensor", `{"alias":["s"],"gatewaySelector":{"matchNames":["other","gateway"]}}`),
		device(t, "app1", "closed", `{"gatewaySelector":{"matchNames":["front","other"]}}`),
		device(t, "app1", "loose", `{"gatewaySelector":"gateway"}`),
		device(t, "app1", "sensor-off", `{"core":{"disabled":true},"gatewaySelector":{"matchNames":["gateway"]}}`),
		deleting(device(t, "app1", "sensor-leaving", `{"gatewaySelector":{"matchNames":["gateway"]}}`)),
	}
}

func TestServiceAuthenticate(t *testing.T) {
	service := newTestService(t, acceptance(t)...)
	f := func(want, application, device string, credential Credential) {
		t.Helper()
		session, err := service.Authenticate(t.Context(), Request{Application: application, Device: device, Credential: credential})
		what := application + "/" + device
		if want == "" {
			expect(t, what, err, outcome.Unauthenticated)
			if session != nil {
				t.Errorf("%s: a refusal with a session", what)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if session.Device.Metadata.Name != want || session.Application.Metadata.Name != application || session.As != nil || session.Target() != session.Device {
			t.Errorf("%s admitted %q of %q", what, session.Device.Metadata.Name, session.Application.Metadata.Name)
		}
	}
	// The catalogue.
	f("device1", "app1", "device1", Password("foo"))
	f("device3", "app1", "foo", Password("bar"))
	f("device1", "app1", "device1", UserPassword{"device1", "foo"})
	f("", "app1", "device1", UserPassword{"device2", "foo"})
	f("", "app1", "device1", Password("foo1"))
	f("", "app2", "device1", Password("foo"))
	f("", "app1", "device9", Password("foo"))
	f("device2", "app1", "device2", UserPassword{"user2", "bar"})
	f("device3", "app1", "device3", UserPassword{"foo", "bar"})
	f("device3", "app1", "foo", UserPassword{"foo", "bar"})
	f("", "app1", "device2", Password("bar"))
	f("device4", "app1", "device4", Password("bar"))

	// Three kinds of hashes, three passwords.
	f("plain", "app1", "plain", Password("foo"))
	f("", "app1", "plain", Password("bar"))
	f("", "app1", "plain", Password("baz"))
	f("", "app1", "bcrypt", Password("foo"))
	f("bcrypt", "app1", "bcrypt", Password("bar"))
	f("", "app1", "bcrypt", Password("baz"))
	f("", "app1", "sha512", Password("foo"))
	f("", "app1", "sha512", Password("bar"))
	f("sha512", "app1", "sha512", Password("baz"))

	// Around the table of credentials.
	f("", "app1", "device3", Password("bar")) // unique, but another name was presented
	f("", "app1", "device2", UserPassword{"device2", "bar"})
	f("", "app1", "second", UserPassword{"second", "bar"})
	f("device2", "app1", "second", UserPassword{"user2", "bar"})
	f("device5", "app1", "device5", Password("one"))
	f("device5", "app1", "device5", Password("two"))
	f("device5", "app1", "device5", Password("bar"))
	f("", "app1", "device5", Password(""))
	f("", "app1", "device5", Password("x"))
	f("old", "app1", "old", Password("foo"))
	f("both", "app1", "both", Password("new"))
	f("", "app1", "both", Password("foo"))
	f("", "app1", "bare", Password(""))
	f("", "app1", "unreadable", Password("foo"))
	f("", "app1", "broken", Password("foo"))
	f("", "app1", "bcrypt", Password(strings.Repeat("x", 64<<10)))

	// Disabled and deleted.
	f("", "off", "device1", Password("foo"))
	f("", "odd", "device1", Password("foo"))
	f("", "leaving", "device1", Password("foo"))
	f("", "app1", "disabled", Password("foo"))
	f("", "app1", "leaving", Password("foo"))

	// What a handshake has proven needs no password, but an enabled device.
	f("bare", "app1", "bare", Vouched{})
	f("", "app1", "disabled", Vouched{})
	f("", "app1", "device9", Vouched{})

	// Nothing at all.
	f("", "", "", nil)
	f("", "app1", "device1", nil)
	f("", "app1", "device1", CertificateChain{})
	f("", "app1", "device1", CertificateChain{[]byte("x")})
	f("", "app1", "", Password("foo"))
	f("", "", "device1", Password("foo"))
}

func TestServiceActsAs(t *testing.T) {
	service := newTestService(t, acceptance(t)...)
	f := func(want outcome.Outcome, target, device, as string) {
		t.Helper()
		what := device + " as " + as
		session, err := service.Authenticate(t.Context(), Request{Application: "app1", Device: device, Credential: Password("lora"), As: as})
		expect(t, what, err, want)
		if err == nil && (session.Target().Metadata.Name != target || (session.As == nil) != (target == "gateway") || session.Device.Metadata.Name != "gateway") {
			t.Errorf("%s: %+v", what, session)
		}

		// The same question to an admitted device gets the same answer.
		admitted, err := service.Authenticate(t.Context(), Request{Application: "app1", Device: device, Credential: Password("lora")})
		if err != nil || as == "" {
			return
		}
		found, err := service.AuthorizeAs(t.Context(), admitted, as)
		if want == outcome.Unauthenticated {
			want = outcome.Forbidden
		}
		expect(t, what+", later", err, want)
		if err == nil && found.Metadata.Name != target {
			t.Errorf("%s, later: %s", what, found.Metadata.Name)
		}
	}
	f(outcome.Accepted, "gateway", "gateway", "")
	f(outcome.Accepted, "gateway", "gateway", "gateway")
	f(outcome.Accepted, "gateway", "gateway", "front")
	f(outcome.Accepted, "gateway", "front", "gateway")
	f(outcome.Accepted, "sensor", "gateway", "sensor")
	f(outcome.Accepted, "sensor", "gateway", "s")
	f(outcome.Accepted, "sensor", "front", "sensor") // the gateway's alias, but its name is listed
	f(outcome.Unauthenticated, "", "gateway", "closed")
	f(outcome.Unauthenticated, "", "front", "closed") // the alias is listed, but not the name
	f(outcome.Unauthenticated, "", "gateway", "loose")
	f(outcome.Unauthenticated, "", "gateway", "bare")
	f(outcome.Unauthenticated, "", "gateway", "nobody")
	f(outcome.Unauthenticated, "", "gateway", "sensor-off")
	f(outcome.Unauthenticated, "", "gateway", "sensor-leaving")
}

func TestServiceForbidsGatewaysThatWereDisabled(t *testing.T) {
	d := newDocuments(acceptance(t)...)
	service := NewService(DefaultServiceConfig(), d, nil)
	session, err := service.Authenticate(t.Context(), Request{Application: "app1", Device: "gateway", Credential: Password("lora")})
	if err != nil {
		t.Fatal(err)
	}
	d.put(device(t, "app1", "gateway", `{"core":{"disabled":true}}`))
	_, err = service.AuthorizeAs(t.Context(), session, "sensor")
	expect(t, "a disabled gateway", err, outcome.Forbidden)
}

func TestServiceWithoutRegistry(t *testing.T) {
	d := newDocuments(acceptance(t)...)
	service := NewService(DefaultServiceConfig(), d, nil)
	session, err := service.Authenticate(t.Context(), Request{Application: "app1", Device: "gateway", Credential: Password("lora")})
	if err != nil {
		t.Fatal(err)
	}
	d.fail(errors.New("connection refused"))
	_, err = service.Authenticate(t.Context(), Request{Application: "app1", Device: "gateway", Credential: Password("lora")})
	expect(t, "log-in", err, outcome.Unavailable)
	_, err = service.AuthorizeAs(t.Context(), session, "sensor")
	expect(t, "as", err, outcome.Unavailable)
	_, err = service.PreSharedKey(t.Context(), "app1", "device5")
	expect(t, "key", err, outcome.Unavailable)
	d.fail(context.DeadlineExceeded)
	_, err = service.Authenticate(t.Context(), Request{Application: "app1", Device: "gateway", Credential: Password("lora")})
	expect(t, "late", err, outcome.Unavailable)
}

func TestRefusalsLookTheSame(t *testing.T) {
	service := newTestService(t, acceptance(t)...)
	for _, r := range []Request{
		{},
		{Application: "nobody", Device: "device1", Credential: Password("foo")},
		{Application: "off", Device: "device1", Credential: Password("foo")},
		{Application: "app1", Device: "nobody", Credential: Password("foo")},
		{Application: "app1", Device: "disabled", Credential: Password("foo")},
		{Application: "app1", Device: "device1", Credential: Password("wrong")},
		{Application: "app1", Device: "gateway", Credential: Password("lora"), As: "closed"},
	} {
		_, err := service.Authenticate(t.Context(), r)
		result := outcome.ResultOf(err)
		if result.Outcome != outcome.Unauthenticated || result.Reason != "" {
			t.Errorf("%+v: %+v", r, result)
		}
	}
}

func TestPreSharedKey(t *testing.T) {
	now := time.Now()
	day := func(n int) string { return now.AddDate(0, 0, n).UTC().Format(time.RFC3339) }
	key := func(secret string, from, to int) string {
		return `{"psk":{"key":"` + secret + `","validity":{"notBefore":"` + day(from) + `","notAfter":"` + day(to) + `"}}}`
	}
	always := func(secret string) string { return `{"psk":{"key":"` + secret + `"}}` }
	f := func(want string, entries ...string) {
		t.Helper()
		service := newTestService(t, application(t, "a", ""),
			device(t, "a", "d", `{"authentication":{"credentials":[{"pass":"x"},`+strings.Join(entries, ",")+`]}}`))
		got, err := service.PreSharedKey(t.Context(), "a", "d")
		if want == "" {
			expect(t, strings.Join(entries, " "), err, outcome.Unauthenticated)
			return
		}
		var secret []byte
		_ = json.Unmarshal([]byte(`"`+want+`"`), &secret)
		if err != nil || string(got.Secret) != string(secret) || !got.ValidAt(now) || got.Device.Metadata.Name != "d" || got.Application.Metadata.Name != "a" {
			t.Errorf("%v: got %x, %v, want %x", entries, got.Secret, err, secret)
		}
	}
	f("AAAA", always("AAAA"))
	f("AAAA", key("AAAA", -1, 1))
	f("BBBB", key("AAAA", -2, 2), key("BBBB", -1, 1)) // the newest
	f("BBBB", key("BBBB", -1, 1), key("AAAA", -2, 2))
	f("BBBB", key("AAAA", -1, 1), key("BBBB", -1, 2)) // of those the longest
	f("BBBB", always("AAAA"), key("BBBB", -1, 1))     // unlimited ones last
	f("AAAA", always("AAAA"), key("BBBB", 1, 2), key("CCCC", -2, -1))
	f("", key("AAAA", 1, 2), key("BBBB", -2, -1))
	f("", `{"psk":{"key":""}}`)
	f("", `{"cert":"x"}`)

	service := newTestService(t, acceptance(t)...)
	for _, names := range [][2]string{{"nobody", "device5"}, {"app1", "nobody"}, {"off", "device1"}, {"app1", "disabled"}, {"app1", "unreadable"}, {"", ""}} {
		_, err := service.PreSharedKey(t.Context(), names[0], names[1])
		expect(t, names[0]+"/"+names[1], err, outcome.Unauthenticated)
	}
}

func TestStripping(t *testing.T) {
	a := application(t, "a", `{"core":{"disabled":false},"mqtt":{"dialect":{"type":"drogue/v1"}},"downstream":{"password":"secret-1"},
		"knative":{"endpoint":{"auth":{"bearer":{"token":"secret-2"}}}},"ttn":{"api":{"apiKey":"secret-3"}},"trustAnchors":{"anchors":[]},
		"publish":{"rules":[{"when":{"isChannel":"x"},"then":[{"setExtension":{"name":"n","value":"10000000000000000001"}},
			{"validate":{"endpoint":{"url":"https://user:secret-4@example.org/x","method":"PUT","auth":{"basic":{"username":"u","password":"secret-5"}},
				"headers":[{"name":"Authorization","value":"secret-6"}],"tls":{"insecure":true}}}}]}],"limit":1234567890123456789},
		"custom":{"token":"secret-7"}}`)
	a.Status = sections(t, `{"kafka":{"user":{"password":"secret-8"}}}`)
	d := device(t, "a", "d", `{"core":{},"alias":["x"],"gatewaySelector":{"matchNames":["g"]},"lorawan":{"ports":{"1":{"data_schema":"urn:x"}}},
		"mqtt":{"dialect":{"type":"plainTopic"}},"ttn":{"payload":"raw","app_key":"secret-9"},"authentication":{"credentials":[{"pass":"pw"},{"pass":"secret-10"}]},
		"credentials":{"credentials":[{"pass":"secret-11"}]},"commands":{"commands":[{"external":{"headers":{"Authorization":"secret-12"}}}]},"custom":{"kept":true}}`)
	d.Status = sections(t, `{"x":"kept"}`)
	before, _ := json.Marshal([]any{a, d})

	session, err := newTestService(t, a, d).Authenticate(t.Context(), Request{Application: "a", Device: "d", Credential: Password("pw")})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal([]any{session.Application, session.Device})
	if strings.Contains(string(text), "secret") {
		t.Errorf("a secret is in %s", text)
	}
	if after, _ := json.Marshal([]any{a, d}); string(after) != string(before) {
		t.Error("the registry's own documents were changed")
	}
	wantApplication := `{"core":{"disabled":false},"mqtt":{"dialect":{"type":"drogue/v1"}},
		"publish":{"rules":[{"when":{"isChannel":"x"},"then":[{"setExtension":{"name":"n","value":"10000000000000000001"}},
			{"validate":{"endpoint":{"url":"https://example.org/x","method":"PUT"}}}]}],"limit":1234567890123456789}}`
	wantDevice := `{"core":{},"alias":["x"],"gatewaySelector":{"matchNames":["g"]},"lorawan":{"ports":{"1":{"data_schema":"urn:x"}}},
		"mqtt":{"dialect":{"type":"plainTopic"}},"ttn":{"payload":"raw"},"custom":{"kept":true}}`
	if diff := cmp.Diff(canonical(t, wantApplication), canonical(t, session.Application.Spec)); diff != "" {
		t.Errorf("application: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(canonical(t, wantDevice), canonical(t, session.Device.Spec)); diff != "" {
		t.Errorf("device: -want +got:\n%s", diff)
	}
	if session.Device.Payload() != registry.TTNRaw || session.Device.DataSchema(1) != "urn:x" {
		t.Error("the device lost what its messages depend on")
	}
}

// canonical is JSON with sorted members and the digits of its numbers.
func canonical(t *testing.T, document any) string {
	t.Helper()
	text, ok := document.(string)
	if !ok {
		raw, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var content any
	if err := decoder.Decode(&content); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// TestNoCredentialsAdmitNobody tries to log in with nothing where nothing is stored, in every spelling of nothing.
func TestNoCredentialsAdmitNobody(t *testing.T) {
	nothing := []string{
		`null`, `[]`, `[null]`, `[{}]`,
		`[{"pass":null}]`, `[{"pass":""}]`, `[{"pass":{}}]`, `[{"pass":[]}]`, `[{"pass":0}]`, `[{"pass":false}]`,
		`[{"Pass":""}]`, `[{"pass":"x","pass":null}]`, `[{"pass":"x","Pass":null}]`,
		`[{"user":null}]`, `[{"user":{}}]`, `[{"user":""}]`, `[{"user":{"username":"device"}}]`, `[{"user":{"password":""}}]`,
		`[{"user":{"username":"","password":""}}]`, `[{"user":{"username":null,"password":null,"unique":null}}]`,
		`[{"user":{"username":"device","password":"x","Password":null}}]`, `[{"psk":null}]`, `[{"psk":{}}]`, `[{"psk":{"key":null}}]`,
		`[{"psk":{"key":""}}]`, `[{"psk":{"key":[]}}]`, `[{"psk":{"key":{}}}]`, `[{"psk":{"key":"","validity":null}}]`,
		`[{"psk":{"key":"AAEC","validity":{}}}]`, `[{"psk":{"key":"AAEC","validity":{"notBefore":null,"notAfter":"9999-01-01T00:00:00Z"}}}]`,
		`[{"psk":{"key":"AAEC","validity":{"notAfter":"9999-01-01T00:00:00Z"}}}]`, `[{"psk":{"key":"AAEC","validity":{"notBefore":"2020-01-01T00:00:00Z"}}}]`,
		`[{"cert":null}]`, `[{"cert":""}]`,
	}
	for _, kind := range []string{"plain", "bcrypt", "sha512"} {
		for _, value := range []string{`null`, `""`, `{}`, `0`} {
			password := `{"` + kind + `":` + value + `}`
			nothing = append(nothing, `[{"pass":`+password+`}]`)
			for _, unique := range []string{`null`, `false`, `true`} {
				nothing = append(nothing, `[{"user":{"username":"device","password":`+password+`,"unique":`+unique+`}}]`)
			}
		}
	}
	for _, value := range []string{`null`, `""`, `{}`, `[]`, `0`} {
		nothing = append(nothing, `[{"user":{"username":"device","password":`+value+`}}]`, `[{"user":{"username":"device","unique":true,"password":`+value+`}}]`)
	}
	for _, section := range []string{"authentication", "credentials"} {
		for _, stored := range nothing {
			service := newTestService(t, application(t, "app", ""), device(t, "app", "device", `{"`+section+`":{"credentials":`+stored+`}}`))
			for _, presented := range []Credential{
				nil, Password(""), Password("null"), Password("{}"), Password("0"), Password("<nil>"),
				UserPassword{}, UserPassword{"device", ""}, UserPassword{"device", "null"}, UserPassword{"", "null"},
			} {
				_, err := service.Authenticate(t.Context(), Request{Application: "app", Device: "device", Credential: presented})
				expect(t, section+" "+stored, err, outcome.Unauthenticated)
			}
			if key, err := service.PreSharedKey(t.Context(), "app", "device"); err == nil {
				t.Errorf("%s: gives out a key of %d bytes", stored, len(key.Secret))
			}
		}
	}
	empty, err := bcrypt.GenerateFromPassword(nil, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	service := newTestService(t, application(t, "app", ""), device(t, "app", "device", `{"authentication":{"credentials":[{"pass":{"bcrypt":"`+string(empty)+`"}}]}}`))
	_, err = service.Authenticate(t.Context(), Request{Application: "app", Device: "device", Credential: Password("")})
	expect(t, "the hash of nothing", err, outcome.Unauthenticated)
}
