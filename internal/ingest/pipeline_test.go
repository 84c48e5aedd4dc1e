package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A memory keeps records and answers with err.
type memory struct {
	records []*kgo.Record
	err     error
}

func (m *memory) Write(_ context.Context, r *kgo.Record, done func(error)) {
	if m.err == nil {
		m.records = append(m.records, r)
	}
	done(m.err)
}

func session() *auth.Session {
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "my-app", UID: "a"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "dev-1", UID: "d"}},
	}
}

func pipeline(w Writer) *Pipeline {
	p := New(DefaultConfig(), w)
	p.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	p.newID = func() string { return "the-id" }
	return p
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestPublishWritesTheEventOfTheWireContract(t *testing.T) {
	stored := &memory{}
	got := pipeline(stored).Do(t.Context(), session(), nil, Message{Channel: "temp", ContentType: "application/json", Body: []byte(`{"t": 1}`)})
	if got.Outcome != outcome.Accepted {
		t.Fatalf("outcome %v", got)
	}
	r := stored.records[0]
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": "the-id", "ce_type": "io.drogue.event.v1", "ce_source": "drogue://my-app/dev%2D1",
		"ce_subject": "temp", "ce_time": "2026-01-02T03:04:05Z", "ce_application": "my-app", "ce_applicationuid": "a",
		"ce_device": "dev-1", "ce_deviceuid": "d", "ce_sender": "dev-1", "ce_senderuid": "d", "ce_instance": "drogue",
		"ce_partitionkey": "my%2Dapp/dev%2D1", "content-type": "application/json",
	}
	if diff := cmp.Diff(want, headers(r)); diff != "" {
		t.Error(diff)
	}
	if r.Topic != "events-my-app" || string(r.Key) != "my%2Dapp/dev%2D1" || string(r.Value) != `{"t":1}` {
		t.Errorf("topic %q, key %q, value %q", r.Topic, r.Key, r.Value)
	}
}

func TestPublishOnBehalfOfAnotherDevice(t *testing.T) {
	stored := &memory{}
	other := &registry.Device{Metadata: registry.Metadata{Name: "sensor", UID: "s"}}
	from := session()
	from.As = other
	p := pipeline(stored)
	p.Do(t.Context(), from, nil, Message{Channel: "x"})
	p.Do(t.Context(), session(), other, Message{Channel: "x", Type: event.TypeLoRaWAN, DataSchema: "urn:x", Extensions: map[string]string{"lorawanport": "7", "hwaddr": "1"}})
	for _, r := range stored.records {
		h := headers(r)
		if h["ce_device"] != "sensor" || h["ce_deviceuid"] != "s" || h["ce_sender"] != "dev-1" || h["ce_source"] != "drogue://my-app/sensor" {
			t.Errorf("headers %v", h)
		}
		if string(r.Key) != "my%2Dapp/dev%2D1" {
			t.Errorf("key %q: order is per sender", r.Key)
		}
	}
	h := headers(stored.records[1])
	if h["ce_type"] != event.TypeLoRaWAN || h["ce_dataschema"] != "urn:x" || h["ce_lorawanport"] != "7" || h["ce_hwaddr"] != "1" {
		t.Errorf("headers %v", h)
	}
}

func TestPublishRefuses(t *testing.T) {
	f := func(m Message, want outcome.Outcome) {
		t.Helper()
		stored := &memory{}
		if got := pipeline(stored).Do(t.Context(), session(), nil, m); got.Outcome != want {
			t.Errorf("outcome %v, want %v", got, want)
		}
		if len(stored.records) != 0 {
			t.Error("a refused message was stored")
		}
		if got := outcome.Of(pipeline(stored).Check(m)); got != want {
			t.Errorf("Check says %v, want %v", got, want)
		}
	}
	f(Message{}, outcome.Invalid)
	f(Message{Channel: "a\nb"}, outcome.Invalid)
	f(Message{Channel: "x", DataSchema: "mod5"}, outcome.Invalid)
	f(Message{Channel: "x", ContentType: "text/\x01"}, outcome.Invalid)
	f(Message{Channel: "x", Extensions: map[string]string{"sender": "other"}}, outcome.Invalid)
	f(Message{Channel: "x", ContentType: "application/json", Body: []byte("{")}, outcome.Rejected)
	f(Message{Channel: "x", ContentType: "application/json"}, outcome.Rejected)
	f(Message{Channel: "x", Body: make([]byte, 64<<10+1)}, outcome.TooLarge)
}

func TestCheckStoresNothing(t *testing.T) {
	stored := &memory{}
	if err := pipeline(stored).Check(Message{Channel: "x", Body: []byte("{}")}); err != nil || len(stored.records) != 0 {
		t.Errorf("error %v, %d records", err, len(stored.records))
	}
}

func TestPublishReportsTheWriter(t *testing.T) {
	f := func(err error, want outcome.Outcome) {
		t.Helper()
		if got := pipeline(&memory{err: err}).Do(t.Context(), session(), nil, Message{Channel: "x"}); got.Outcome != want {
			t.Errorf("outcome %v, want %v", got, want)
		}
	}
	f(outcome.New(outcome.Unavailable, "x"), outcome.Unavailable)
	f(outcome.New(outcome.Overloaded, "x"), outcome.Overloaded)
	f(errors.New("surprise"), outcome.Internal)
}

func TestBodyIsOnlyBorrowed(t *testing.T) {
	stored := &memory{}
	body := []byte(strings.Repeat("x", 100))
	pipeline(stored).Do(t.Context(), session(), nil, Message{Channel: "x", ContentType: "text/plain", Body: body})
	clear(body)
	if string(stored.records[0].Value) != strings.Repeat("x", 100) {
		t.Error("the record shares memory with the message")
	}
}

func BenchmarkPublish(b *testing.B) {
	p, from := New(DefaultConfig(), discard{}), session()
	m := Message{Channel: "temp", ContentType: "application/json", Body: []byte(`{"temperature": 21.5, "humidity": 40, "battery": 3.1, "sequence": 1234567890}`)}
	b.ReportAllocs()
	for b.Loop() {
		p.Publish(context.Background(), from, nil, m, func(outcome.Result) {})
	}
}

type discard struct{}

func (discard) Write(_ context.Context, _ *kgo.Record, done func(error)) { done(nil) }
