package ttn

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
)

type decoder func([]byte) (*Upstream, error)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDecodeSamples(t *testing.T) {
	const (
		message = "io.drogue.event.v1"
		lorawan = "io.drogue.lorawan.v1"
	)
	seen := map[string]bool{}
	f := func(decode decoder, name, device, eventType, subject, payload string, extensions map[string]string) {
		t.Helper()
		seen[name+".json"] = true
		u, err := decode(sample(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		type short struct {
			Device, Type, Subject, Payload string
			Extensions                     map[string]string
		}
		want := short{device, eventType, subject, payload, extensions}
		got := short{u.Device, u.Type(), u.Subject(), string(u.Payload), u.Extensions}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	ext := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	dev1 := func(addr string, pairs ...string) map[string]string {
		return ext(append(pairs, "hwaddr", addr, "lorawandeveui", "0004A30B001C0530")...)
	}

	f(DecodeV2, "v2-uplink-drogue-1", "device-01", message, "1", "\x15\x65\x00\x05",
		ext("lorawanport", "1", "lorawanretry", "false", "hwaddr", "0123456789ABCDEF", "lorawandeveui", "0123456789ABCDEF", "lorawanfcnt", "26416"))
	f(DecodeV2, "v2-uplink-drogue-simulated", "device_id", message, "1", "\xaa\xaa\xaa\xaa\xaa\xaa",
		ext("lorawanport", "1", "lorawanretry", "false", "hwaddr", "00CEFBE673D08000", "lorawandeveui", "00CEFBE673D08000", "lorawanfcnt", "0"))

	f(DecodeV3, "v3-uplink_message-docs-formats-1", "dev1", message, "0", "\x82\x41\xde", dev1("00BCB929", "lorawanport", "0", "lorawanfcnt", "1"))
	f(DecodeV3, "v3-uplink_message-drogue-1", "dev1", message, "0", "\x82\x41\xde", dev1("00BCB929", "lorawanport", "0", "lorawanfcnt", "1"))
	f(DecodeV3, "v3-uplink_message-drogue-2", "foo-bar", message, "1", "Ping",
		ext("lorawanport", "1", "hwaddr", "01234567", "lorawandeveui", "0123456789ABCDEF"))
	f(DecodeV3, "v3-uplink_message-empty-payload-stack-made", "dev1", message, "0", "", dev1("00BCB929", "lorawanport", "0"))
	f(DecodeV3, "v3-uplink_message-pyclient-sensecap-valid", "eui-2cf7f1c044300279", message, "3",
		"\x01\x00\x85\x4d\x00\x00\x0f\x47\x00\x00\x15\x02\x00\x7f\x00\x00\x00\x00\x26\xee\x03\x64",
		ext("lorawanport", "3", "lorawanfcnt", "642", "hwaddr", "260BA448", "lorawandeveui", "2xxxxxx044300279"))
	f(DecodeV3, "v3-uplink_message-stack-formatter-1", "foo-device", message, "42", "\x01\x02\x03", ext("lorawanport", "42", "lorawanfcnt", "42"))
	f(DecodeV3, "v3-uplink_message-thingsboard-1-bosch", "eui-1000000000000001", message, "2", "\x01\x12",
		ext("lorawanport", "2", "lorawanfcnt", "5017", "hwaddr", "20000001", "lorawandeveui", "1000000000000001"))
	f(DecodeV3, "v3-uplink_normalized-stack-made", "dev1", lorawan, "normalized", "\x01\x02\x03", dev1("00BCB929", "lorawanport", "1", "lorawanfcnt", "7"))

	f(DecodeV3, "v3-join_accept-docs-formats-1", "dev1", lorawan, "join", "", dev1("01497ECC"))
	f(DecodeV3, "v3-join_accept-drogue-1", "dev1", lorawan, "join", "", dev1("01497ECC"))
	f(DecodeV3, "v3-join_accept-stack-formatter-2", "foo-device", lorawan, "join", "", nil)

	f(DecodeV3, "v3-downlink_ack-docs-formats-1", "dev1", lorawan, "downlink/ack", "", dev1("00C30DFA", "lorawanport", "15", "lorawanfcnt", "1"))
	f(DecodeV3, "v3-downlink_ack-stack-made", "dev1", lorawan, "downlink/ack", "", dev1("00BCB929", "lorawanport", "15", "lorawanfcnt", "2"))
	f(DecodeV3, "v3-downlink_nack-composed", "dev1", lorawan, "downlink/nack", "", dev1("00BCB929", "lorawanport", "15", "lorawanfcnt", "3"))
	f(DecodeV3, "v3-downlink_sent-composed", "dev1", lorawan, "downlink/sent", "", dev1("00BCB929", "lorawanport", "15", "lorawanfcnt", "3"))
	f(DecodeV3, "v3-downlink_queued-stack-made", "dev1", lorawan, "downlink/queued", "", dev1("00BCB929", "lorawanport", "15", "lorawanfcnt", "2"))
	f(DecodeV3, "v3-downlink_failed-docs-formats-1", "dev1", lorawan, "downlink/failed", "", ext("lorawanport", "15"))
	f(DecodeV3, "v3-downlink_failed-stack-made", "dev1", lorawan, "downlink/failed", "", dev1("00BCB929", "lorawanport", "15", "lorawanfcnt", "2"))
	f(DecodeV3, "v3-downlink_queue_invalidated-composed", "dev1", lorawan, "downlink/queue-invalidated", "", dev1("00BCB929"))
	f(DecodeV3, "v3-location_solved-composed", "dev1", lorawan, "location", "", dev1("00BCB929"))
	f(DecodeV3, "v3-service_data-composed", "dev1", lorawan, "service-data", "", dev1("00BCB929"))

	refused := map[string]bool{"chirpstack4-uplink-hono-1.json": true, "v3-downlinks-docs-formats-1.json": true}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if base := filepath.Base(file); !seen[base] && !refused[base] {
			t.Errorf("%s is not tested", file)
		}
	}
}

func TestDecodeFields(t *testing.T) {
	f := func(decode decoder, name, want string) {
		t.Helper()
		u, err := decode(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		var got, expected any
		if err := json.Unmarshal(u.Fields, &got); err != nil {
			t.Fatalf("%s: %q: %v", name, u.Fields, err)
		}
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f(DecodeV2, "v2-uplink-drogue-1", `{"luminosity_21":5}`)
	f(DecodeV3, "v3-uplink_message-docs-formats-1", `{"temperature":1.0,"luminosity":0.64}`)
	f(DecodeV3, "v3-uplink_normalized-stack-made", `{"air":{"relativeHumidity":44,"temperature":21.5},"time":"2024-10-24T09:30:00Z"}`)

	u, err := DecodeV2(sample(t, "v2-uplink-drogue-simulated"))
	if err != nil || u.Fields != nil {
		t.Errorf("got fields %q and %v, want none", u.Fields, err)
	}
}

func TestDecodeTolerates(t *testing.T) {
	f := func(decode decoder, body string, want Upstream) {
		t.Helper()
		u, err := decode([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if diff := cmp.Diff(&want, u); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	up := func(port uint16, payload string, extensions map[string]string) Upstream {
		return Upstream{Kind: Uplink, Device: "d", Port: port, Payload: []byte(payload), Extensions: extensions}
	}
	v2 := func(port, more string) map[string]string {
		m := map[string]string{"lorawanport": port}
		if more != "" {
			m["lorawanretry"] = more
		}
		return m
	}
	// Version 3: nothing but the name and the message.
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{}}`, up(0, "", v2("0", "")))
	f(DecodeV3, ` { "end_device_ids" : { "device_id" : "d" } , "uplink_message" : { } , "join_accept" : null } `, up(0, "", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{"f_port":"7","frm_payload":null,"decoded_payload":null}}`, up(7, "", v2("7", "")))
	f(DecodeV3, `{"new":[1],"end_device_ids":{"device_id":"d","new":{}},"uplink_message":{"f_port":7,"settings":{"data_rate":{"fsk":{}}},"rx_metadata":[{}]}}`, up(7, "", v2("7", "")))
	// Both alphabets of base64, with and without padding.
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{"frm_payload":"+/8="}}`, up(0, "\xfb\xff", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{"frm_payload":"+/8"}}`, up(0, "\xfb\xff", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{"frm_payload":"-_8="}}`, up(0, "\xfb\xff", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"uplink_message":{"frm_payload":"-_8"}}`, up(0, "\xfb\xff", v2("0", "")))
	// What only marks the message is left out when it is not fit for that.
	f(DecodeV3, `{"end_device_ids":{"device_id":"d","dev_addr":12,"dev_eui":"a\u0000"},"uplink_message":{"f_cnt":-1}}`, up(0, "", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d","dev_addr":"`+strings.Repeat("0", 65)+`"},"uplink_message":{"f_cnt":4294967296}}`, up(0, "", v2("0", "")))
	f(DecodeV3, `{"end_device_ids":{"device_id":"d"},"downlink_failed":{}}`, Upstream{Kind: DownlinkFailed, Device: "d"})
	// Version 2.
	f(DecodeV2, `{"dev_id":"d","port":1}`, up(1, "", v2("1", "false")))
	f(DecodeV2, `{"dev_id":"d","port":1,"payload_raw":null,"is_retry":true}`, up(1, "", v2("1", "true")))
	f(DecodeV2, `{"dev_id":"d","port":"1","is_retry":"true"}`, up(1, "", v2("1", "true")))
	f(DecodeV2, `{"dev_id":"d","port":1,"is_retry":7}`, up(1, "", v2("1", "")))
	f(DecodeV2, `{"dev_id":"d","payload_raw":"AQ==","port":65535}`, up(65535, "\x01", v2("65535", "false")))
}

func TestDecodeRefuses(t *testing.T) {
	f := func(decode decoder, body, name, reason string) {
		t.Helper()
		u, err := decode([]byte(body))
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%.80s: got %v and %v, want a refusal", body, u, err)
			return
		}
		if u != nil || refusal.Name != name || refusal.Reason != reason {
			t.Errorf("%.80s:\n got %s %q\nwant %s %q", body, refusal.Name, refusal.Reason, name, reason)
		}
	}
	const ids = `"end_device_ids":{"device_id":"d"}`
	deep := func(n int) string {
		return `{` + ids + `,"uplink_message":{"decoded_payload":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
	}
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, decode := range []decoder{DecodeV2, DecodeV3} {
		f(decode, ``, InvalidFormat, "the body is empty")
		f(decode, `{`, InvalidFormat, "the body is not JSON")
		f(decode, `{} {}`, InvalidFormat, "the body is not JSON")
		f(decode, `{"number":1e400}`, InvalidFormat, "the body is not JSON")
		f(decode, `{"half a character":"\ud800"}`, InvalidFormat, "the body is not JSON")
		f(decode, `"text"`, InvalidFormat, "the body is not an object")
		f(decode, `null`, InvalidFormat, "the body is not an object")
		f(decode, `[{}]`, InvalidFormat, "the body is not an object")
		f(decode, "{\"a\":\"\xff\"}", InvalidFormat, "the body is not UTF-8; the webhook's format has to be JSON")
		f(decode, strings.Repeat(" ", 1<<16), InvalidFormat, "the body is not JSON")
		f(decode, strings.Repeat("[", 1<<16), InvalidFormat, "the body is nested deeper than 64 levels")
		f(decode, members(257), InvalidFormat, "the body has more than 256 members")
		f(decode, `{"a":1,"\u0061":2}`, InvalidRequest, "the body has a member twice")
		f(decode, string(sample(t, "chirpstack4-uplink-hono-1")), InvalidFormat, "this looks like a message of ChirpStack, which is not supported")
	}

	f(DecodeV3, `{}`, InvalidFormat, "end_device_ids.device_id is missing")
	f(DecodeV3, `{"uplink_message":{}}`, InvalidFormat, "end_device_ids.device_id is missing")
	f(DecodeV3, `{"end_device_ids":{"DEVICE_ID":"d"},"uplink_message":{}}`, InvalidFormat, "end_device_ids.device_id is missing")
	f(DecodeV3, `{"end_device_ids":"d","uplink_message":{}}`, InvalidFormat, "end_device_ids is not an object")
	f(DecodeV3, `{"end_device_ids":{"device_id":7},"uplink_message":{}}`, InvalidFormat, "end_device_ids.device_id is not a text")
	f(DecodeV3, `{"end_device_ids":{"device_id":"a\nb"},"uplink_message":{}}`, InvalidFormat, "end_device_ids.device_id: device name contains a control character")
	f(DecodeV3, `{"end_device_ids":{"device_id":"`+strings.Repeat("d", 256)+`"},"uplink_message":{}}`, InvalidFormat, "end_device_ids.device_id: device name is longer than 255 bytes")
	f(DecodeV3, `{"end_device_ids":{"device_id":"d","device_id":"e"},"uplink_message":{}}`, InvalidRequest, "end_device_ids has a member twice")
	f(DecodeV3, `{`+ids+`}`, InvalidRequest, "no message of a known kind in the body")
	f(DecodeV3, `{`+ids+`,"uplink_message":null}`, InvalidRequest, "no message of a known kind in the body")
	f(DecodeV3, `{`+ids+`,"Uplink_Message":{}}`, InvalidRequest, "no message of a known kind in the body")
	f(DecodeV3, string(sample(t, "v3-downlinks-docs-formats-1")), InvalidRequest, "no message of a known kind in the body")
	f(DecodeV3, `{`+ids+`,"join_accept":{},"uplink_message":{}}`, InvalidRequest, "more than one message in the body: uplink_message, join_accept")
	f(DecodeV3, `{`+ids+`,"uplink_message":[]}`, InvalidFormat, "uplink_message is not an object")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"f_port":65536}}`, InvalidFormat, "f_port is not a number from 0 to 65535")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"f_port":-1}}`, InvalidFormat, "f_port is not a number from 0 to 65535")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"f_port":1e4}}`, InvalidFormat, "f_port is not a number from 0 to 65535")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"f_port":{}}}`, InvalidFormat, "f_port is not a number from 0 to 65535")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"frm_payload":"*"}}`, InvalidFormat, "frm_payload is not base64")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"frm_payload":"AQ="}}`, InvalidFormat, "frm_payload is not base64")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"frm_payload":"+_8="}}`, InvalidFormat, "frm_payload is not base64")
	f(DecodeV3, `{`+ids+`,"uplink_message":{"frm_payload":[1]}}`, InvalidFormat, "frm_payload is not a text")
	f(DecodeV3, `{`+ids+`,"uplink_normalized":{"f_port":"x"}}`, InvalidFormat, "f_port is not a number from 0 to 65535")
	f(DecodeV3, deep(63), InvalidFormat, "the body is nested deeper than 64 levels")
	f(DecodeV3, string(sample(t, "v2-uplink-drogue-1")), InvalidRequest, "this is a message of stack v2; its path is /ttn/v2")

	f(DecodeV2, `{"port":1}`, InvalidFormat, "dev_id is missing")
	f(DecodeV2, `{"dev_id":""}`, InvalidFormat, "dev_id is missing")
	f(DecodeV2, `{"dev_id":["d"]}`, InvalidFormat, "dev_id is not a text")
	f(DecodeV2, `{"dev_id":"d"}`, InvalidRequest, "no uplink in the body: port, payload_raw and payload_fields are missing")
	f(DecodeV2, `{"dev_id":"d","port":1.5}`, InvalidFormat, "port is not a number from 0 to 65535")
	f(DecodeV2, `{"dev_id":"d","port":1,"payload_raw":"§"}`, InvalidFormat, "payload_raw is not base64")
	f(DecodeV2, string(sample(t, "v3-join_accept-drogue-1")), InvalidRequest, "this is a message of stack v3; its path is /ttn/v3")

	if _, err := DecodeV3([]byte(deep(62))); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"dev_id":"\ud800","port":1e400,"payload_raw":"=","counter":"-0","is_retry":[]}`))
	f.Add([]byte(`{"end_device_ids":{"device_id":"d","dev_addr":"\u0000"},"uplink_message":{"f_port":"\"","f_cnt":0.0}}`))
	f.Add([]byte(`{"a":1,"a":[[[[[[[[[[{"b":"\"]"}]]]]]]]]]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, decode := range []decoder{DecodeV2, DecodeV3} {
			u, err := decode(body)
			if err != nil {
				checkRefusal(t, u, err)
				continue
			}
			checkUpstream(t, u)
		}
	})
}

func checkRefusal(t *testing.T, u *Upstream, err error) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || u != nil {
		t.Fatalf("got %v and %v, want a refusal alone", u, err)
	}
	if refusal.Reason == "" || len(refusal.Reason) > 512 || (refusal.Name != InvalidFormat && refusal.Name != InvalidRequest) {
		t.Fatalf("refusal %+v", refusal)
	}
}

func checkUpstream(t *testing.T, u *Upstream) {
	t.Helper()
	if err := registry.ValidateDeviceName(u.Device); err != nil {
		t.Fatal(err)
	}
	if u.Subject() == "" || u.Type() == "" {
		t.Fatalf("%q has subject %q and type %q", u.Kind, u.Subject(), u.Type())
	}
	if u.Fields != nil && !json.Valid(u.Fields) {
		t.Fatalf("fields %q", u.Fields)
	}
	for name, value := range u.Extensions {
		if err := event.ValidateExtension(name, value); err != nil {
			t.Fatal(err)
		}
		if value == "" || len(value) > maxExtension || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("extension %s=%q", name, value)
		}
	}
}
