package tracing

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// The example of W3C Trace Context section 3.2.3.
const (
	parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	state  = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
)

func TestRemote(t *testing.T) {
	f := func(givenParent, givenState, wantParent, wantState string) {
		t.Helper()
		gotParent, gotState := Of(Remote(context.Background(), givenParent, givenState))
		if gotParent != wantParent || gotState != wantState {
			t.Errorf("Remote(%q, %q) is %q, %q; want %q, %q", givenParent, givenState, gotParent, gotState, wantParent, wantState)
		}
	}
	f(parent, state, parent, state)
	f(parent, "", parent, "")
	f(parent, "no state", parent, "")
	f(parent, strings.Repeat("a=b,", 200), parent, "")
	f("", state, "", "")
	f("00-00000000000000000000000000000000-00f067aa0ba902b7-01", state, "", "")
	f("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "", "", "")
	f("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "", "", "")
	f("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "", "", "")
	f(parent+"-more", "", "", "")
	f(parent[:54], "", "", "")
	f(strings.Repeat("0", 1<<20), "", "", "")
	f(parent+"\r\nx: y", "", "", "")
}

func TestHeader(t *testing.T) {
	h := http.Header{"Traceparent": {parent}, "Tracestate": {state}}
	to := http.Header{}
	ToHeader(FromHeader(context.Background(), h), to)
	if to.Get(Parent) != parent || to.Get(State) != state {
		t.Errorf("passed on as %v", to)
	}
	h.Add("Traceparent", parent)
	to = http.Header{}
	ToHeader(FromHeader(context.Background(), h), to)
	if len(to) != 0 {
		t.Errorf("two parents are passed on as %v", to)
	}
}

func TestNothingIsMadeWithoutExport(t *testing.T) {
	ctx := Remote(context.Background(), parent, state)
	traced, span := New().Receive(ctx, "http")
	if traced != ctx || span.IsRecording() {
		t.Error("a span was begun")
	}
	End(span, "accepted", false)
	if allocations := testing.AllocsPerRun(100, func() {
		_, span := Tracer{}.Start(ctx, Kafka)
		End(span, "accepted", false)
	}); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestSpans(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	tracer := New()
	ctx, outer := tracer.Receive(Remote(context.Background(), parent, state), "http")
	inner, span := tracer.Start(ctx, Kafka)
	told, toldState := Of(inner)
	End(span, "unavailable", true)
	End(outer, "unavailable", false)
	spans := recorder.Ended()
	if len(spans) != 2 || spans[0].Name() != Kafka || spans[1].Name() != "receive http" {
		t.Fatalf("spans %v", spans)
	}
	if spans[0].Parent().SpanID() != spans[1].SpanContext().SpanID() || spans[1].Parent().SpanID().String() != parent[36:52] {
		t.Error("the spans do not follow each other")
	}
	if want := spans[0].SpanContext().SpanID().String(); !strings.Contains(told, want) || !strings.HasPrefix(told, parent[:36]) || toldState != state {
		t.Errorf("the record is told %q, %q", told, toldState)
	}
}

func FuzzRemote(f *testing.F) {
	f.Add(parent, state)
	f.Add("00-", "=,=")
	f.Fuzz(func(t *testing.T, givenParent, givenState string) {
		gotParent, gotState := Of(Remote(context.Background(), givenParent, givenState))
		if len(gotParent) > maxParent || len(gotState) > maxState || strings.ContainsAny(gotParent+gotState, "\r\n\x00") {
			t.Errorf("%q, %q", gotParent, gotState)
		}
	})
}

func BenchmarkOff(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, span := Tracer{}.Start(ctx, Kafka)
		Of(ctx)
		End(span, "accepted", false)
	}
}
