package presence

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

const someEpoch = "0b8f7a52-6a3e-4d6b-9d4e-0f3a5c1d2e3"

func TestEpoch(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		e := newEpoch()
		parsed, err := parseEpoch(e.String())
		if err != nil || parsed != e {
			t.Fatalf("%s becomes %s, %v", e, parsed, err)
		}
		for _, k := range []kind{connected, testament, disconnected} {
			id, err := uuid.Parse(e.id(k))
			if err != nil || id.Version() != 4 || id.Variant() != uuid.RFC4122 {
				t.Errorf("id %s: %v", e.id(k), err)
			}
			if seen[e.id(k)] {
				t.Errorf("id %s twice", e.id(k))
			}
			seen[e.id(k)] = true
		}
	}
	for _, text := range []string{"", someEpoch + "0", someEpoch[1:], strings.Repeat("x", epochText), "{" + someEpoch[1:]} {
		if e, err := parseEpoch(text); err == nil {
			t.Errorf("%q is the epoch %s", text, e)
		}
	}
}

func TestDecodeEntry(t *testing.T) {
	const from = `{"application":"app","applicationUid":"1","device":"d","deviceUid":"2"}`
	want := entry{time: time.UnixMicro(1_800_000_000_000_001), origin: origin{"app", "1", "d", "2"}}
	want.epoch, _ = parseEpoch(someEpoch)
	good := func(text string, k kind, w Will) {
		t.Helper()
		want.kind, want.will = k, w
		e, err := decodeEntry(text)
		if diff := cmp.Diff(want, e, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	const moment = someEpoch + " 1800000000000001"
	good("1 t "+moment+"\n"+from, connected, Will{})
	good("1 f "+moment+"\n"+from, disconnected, Will{})
	good("1 w "+moment+"\n"+from+"\n"+encode(Will{"t", "c", []byte("\x00")}), testament, Will{"t", "c", []byte("\x00")})
	bad := func(text string) {
		t.Helper()
		if e, err := decodeEntry(text); err == nil {
			t.Errorf("%q is %+v", text, e)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats the entry: %v", err)
		}
	}
	bad("")
	bad("1 t " + moment)
	bad("2 t " + moment + "\n" + from)
	bad("1 x " + moment + "\n" + from)
	bad("1 tt " + moment + "\n" + from)
	bad("1 t " + moment + " \n" + from)
	bad("1 t " + someEpoch + " x\n" + from)
	bad("1 t secret 1\n" + from)
	bad("1 t " + moment + "\nsecret")
	bad("1 t " + moment + "\n" + from + "\n{}")
	bad("1 w " + moment + "\n" + from)
	bad("1 w " + moment + "\n" + from + "\nsecret")
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add("1 t " + someEpoch + " 1800000000000001\n{}")
	f.Add("1 f " + someEpoch + " -1\n" + encode(origin{"a", "b", "c", "d"}))
	f.Add("1 w " + someEpoch + " 1800000000000001\n{}\n" + encode(Will{"t", "", []byte("{}")}))
	f.Add("1 w \n\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := decodeEntry(text)
		if err != nil {
			return
		}
		if m := e.message(); m.ID == "" || (e.kind == testament) != (m.Type == "") {
			t.Errorf("message %+v", m)
		}
		if s := e.session(); s.Application.Metadata.Name != e.origin.Application {
			t.Errorf("session %+v", s)
		}
		if strings.Contains(header(text), "\n") || !strings.HasPrefix(text, header(text)) {
			t.Errorf("header %q", header(text))
		}
	})
}

// TestEventsOnTheWire sends the events of a session through the pipeline, as they were queued by whichever process, and
// looks at the records.
func TestEventsOnTheWire(t *testing.T) {
	var records []*kgo.Record
	pipeline := ingest.New(ingest.DefaultConfig(), writer(func(r *kgo.Record) { records = append(records, r) }))
	from := encode(origin{"my-app", "a", "dev-1", "d"})
	for _, text := range []string{
		"1 t " + someEpoch + " 1800000000000001\n" + from,
		"1 w " + someEpoch + " 1800000000000002\n" + from + "\n" + encode(Will{"last/words", "", []byte(`{"bye": 1}`)}),
		"1 f " + someEpoch + " 1800000000000002\n" + from,
	} {
		e, err := decodeEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := pipeline.Do(t.Context(), e.session(), nil, e.message()); r.Outcome != outcome.Accepted {
			t.Fatalf("outcome %v", r)
		}
	}
	check := func(n int, kind, subject, id, time, data string) {
		t.Helper()
		got := map[string]string{}
		for _, h := range records[n].Headers {
			got[h.Key] = string(h.Value)
		}
		want := map[string]string{
			"ce_specversion": "1.0", "ce_id": someEpoch + id, "ce_type": kind, "ce_source": "drogue://my-app/dev%2D1",
			"ce_subject": subject, "ce_time": time, "ce_instance": "drogue", "ce_partitionkey": "my%2Dapp/dev%2D1",
			"ce_application": "my-app", "ce_applicationuid": "a", "ce_device": "dev-1", "ce_deviceuid": "d",
			"ce_sender": "dev-1", "ce_senderuid": "d", "content-type": "application/json",
		}
		if diff := cmp.Diff(want, got); diff != "" || string(records[n].Value) != data {
			t.Errorf("event %d: %s\n%s", n, records[n].Value, diff)
		}
		if r := records[n]; r.Topic != "events-my-app" || string(r.Key) != "my%2Dapp/dev%2D1" {
			t.Errorf("event %d: topic %s, key %s", n, r.Topic, r.Key)
		}
	}
	check(0, event.TypeConnection, "connection", "0", "2027-01-15T08:00:00.000001Z", `{"connected":true}`)
	check(1, event.TypeMessage, "last/words", "1", "2027-01-15T08:00:00.000002Z", `{"bye":1}`)
	check(2, event.TypeConnection, "connection", "2", "2027-01-15T08:00:00.000002Z", `{"connected":false}`)
}

type writer func(*kgo.Record)

func (w writer) Write(_ context.Context, r *kgo.Record, done func(error)) {
	w(r)
	done(nil)
}
