package stream

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestSpansAreReadFromTheirBeginToTheirEnd(t *testing.T) {
	f := func(name string, spans map[int32]Span, want []string) {
		t.Helper()
		b := newBroker(t, 2)
		b.produce(text("a", 0), text("b", 0), text("c", 0), text("d", 0), text("x", 1), text("y", 1))
		r := &recorder{}
		if err := b.cluster().ReadSpans(t.Context(), SpanOptions{Topic: topic, Spans: spans, Handler: r.handle}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := r.got()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("all", map[int32]Span{0: {0, 4}, 1: {0, 2}}, []string{"a", "b", "c", "d", "x", "y"})
	f("parts", map[int32]Span{0: {1, 3}, 1: {1, 2}}, []string{"b", "c", "y"})
	f("one partition", map[int32]Span{0: {3, 4}}, []string{"d"})
	f("nothing", map[int32]Span{0: {2, 2}, 1: {2, 1}}, nil)
	f("none", nil, nil)
}

func TestLongSpansAreReadInOrder(t *testing.T) {
	b := newBroker(t, 2)
	const all = 8 * highRecords
	b.produceMany(all, 0, 1)
	values := map[int32][]string{}
	r := &recorder{}
	spans := map[int32]Span{0: {0, all / 2}, 1: {0, all / 2}}
	err := b.cluster().ReadSpans(t.Context(), SpanOptions{Topic: topic, Spans: spans, Handler: func(ctx context.Context, d *Delivery) {
		r.mu.Lock()
		values[d.Record.Partition] = append(values[d.Record.Partition], string(d.Record.Value))
		r.mu.Unlock()
		d.Done()
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if got := values[int32(i%2)][i/2]; got != strconv.Itoa(i) {
			t.Fatalf("%s came in place of %d", got, i)
		}
	}
}

func TestSpansEndWithTheirContext(t *testing.T) {
	b := newBroker(t, 1)
	b.produceMany(10, 0)
	ctx, stop := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	n := 0
	err := b.cluster().ReadSpans(ctx, SpanOptions{Topic: topic, Spans: map[int32]Span{0: {0, 10}}, Handler: func(_ context.Context, d *Delivery) {
		if n++; n == 3 {
			stop(enough)
			<-d.Stopping()
		}
		d.Done()
	}})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("%v after %d records", err, n)
	}
}

// What Kafka has removed is not waited for.
func TestSpansLeaveOutWhatIsRemoved(t *testing.T) {
	b := newBroker(t, 2)
	b.produceMany(10, 0)
	b.produce(text("x", 1), text("y", 1))
	var removed kadm.Offsets
	removed.AddOffset(topic, 0, 10, -1)
	removed.AddOffset(topic, 1, 1, -1)
	if _, err := kadm.NewClient(b.producer).DeleteRecords(t.Context(), removed); err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	spans := map[int32]Span{0: {0, 10}, 1: {0, 2}}
	c := b.cluster()
	c.idleTimeout = 50 * time.Millisecond
	if err := c.ReadSpans(t.Context(), SpanOptions{Topic: topic, Spans: spans, Handler: r.handle}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"y"}, r.got()); diff != "" {
		t.Error(diff)
	}
}

func TestSpansOfAMissingTopic(t *testing.T) {
	b := newBroker(t, 1)
	err := b.cluster().ReadSpans(t.Context(), SpanOptions{Topic: "missing", Spans: map[int32]Span{0: {0, 1}}, Handler: (&recorder{}).handle})
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v", err)
	}
}

// A partition that is stuck does not keep the others waiting.
func TestStuckSpanDoesNotStopTheOthers(t *testing.T) {
	b := newBroker(t, 2)
	c := b.cluster()
	c.fetchMaxWait, c.roomTimeout = 50*time.Millisecond, 50*time.Millisecond
	const stuck, others = 4 * highRecords, 3 * highRecords
	b.produceMany(stuck, 0)
	b.produceMany(others, 1)
	free, ended := make(chan struct{}), make(chan error, 1)
	r := &recorder{}
	go func() {
		ended <- c.ReadSpans(t.Context(), SpanOptions{
			Topic: topic, Spans: map[int32]Span{0: {0, stuck}, 1: {0, others}}, Handler: func(ctx context.Context, d *Delivery) {
				if d.Record.Partition == 0 {
					<-free
				}
				r.handle(ctx, d)
			},
		})
	}()
	r.await(t, others)
	close(free)
	if err := <-ended; err != nil || len(r.got()) != stuck+others {
		t.Errorf("%v after %d records", err, len(r.got()))
	}
}
