package command

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestEnvelope(t *testing.T) {
	f := func(c Command) {
		t.Helper()
		message, err := enclose("sender", "id", &c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		var e envelope
		payload, err := decode(message, &e)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got := e.command(payload); e.Sender != "sender" || e.ID != "id" || !reflect.DeepEqual(got, c) {
			t.Errorf("sent %+v, arrived as %+v", c, got)
		}
	}
	f(Command{Application: "app", Gateway: "gw", Device: "d", Name: "on", Payload: []byte{}})
	f(Command{Application: "app", Gateway: "gw/ü", Device: "d:\"x", Name: "a/b", ContentType: "text/plain", Payload: []byte("{\n\x00\xff"),
		Respond: true, Correlation: "xyz"})
	f(Command{Application: "app", Gateway: "gw", Device: "d", Name: "on", Payload: bytes.Repeat([]byte{7}, MaxPayload)})
}

func TestEnvelopeBounds(t *testing.T) {
	if _, err := enclose("s", "1", &Command{Payload: make([]byte, MaxPayload+1)}); err == nil {
		t.Error("a payload beyond the limit was taken")
	}
	if _, err := enclose("s", "1", &Command{ContentType: strings.Repeat("x", maxHeader)}); err == nil {
		t.Error("a header beyond the limit was taken")
	}
	f := func(what, message string) {
		t.Helper()
		if _, err := decode([]byte(message), &envelope{}); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	f("nothing", "")
	f("another version", "\x02\x02{}")
	f("no length", "\x01")
	f("a length without end", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	f("a header that is cut", "\x01\x05{}")
	f("a header that is no JSON", "\x01\x02{]")
	f("a header of another form", "\x01\x02[]")
	f("a body beyond the limit", "\x01\x02{}"+strings.Repeat("x", MaxPayload+1))
}

func FuzzDecode(f *testing.F) {
	message, _ := enclose("s", "1", &Command{Application: "a", Gateway: "g", Device: "d", Name: "n", Payload: []byte("p")})
	f.Add(message)
	f.Add([]byte("\x01\x02{}"))
	f.Add([]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		var e envelope
		payload, err := decode(message, &e)
		if err != nil {
			return
		}
		c := e.command(payload)
		again, err := enclose(e.Sender, e.ID, &c)
		if err != nil {
			return // JSON may be longer than it was
		}
		var second envelope
		if body, err := decode(again, &second); err != nil || !bytes.Equal(body, payload) || second != e {
			t.Errorf("%+v came back as %+v: %v", e, second, err)
		}
	})
}

func TestValidateName(t *testing.T) {
	f := func(name string, good bool) {
		t.Helper()
		if err := ValidateName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	f("on", true)
	f("set/point", true)
	f("port:5", true)
	f("ü ü", true)
	f("", false)
	f("a+", false)
	f("#", false)
	f("a\x00", false)
	f("a\n", false)
	f("\xff", false)
	f(strings.Repeat("x", MaxName), true)
	f(strings.Repeat("x", MaxName+1), false)
}
