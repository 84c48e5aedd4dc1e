package stream

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/fairlead/fairlead/test/neighbour"
)

// follow opens a reader until the test ends.
func (b *broker) follow(c *Cluster) *Reader {
	b.Helper()
	return b.reader(c.Follow(b.Context(), topic))
}

func (b *broker) reader(r *Reader, err error) *Reader {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	return r
}

// values reads so many records.
func (b *broker) values(r *Reader, n int) (values []string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for len(values) < n {
		records, err := r.Next(ctx)
		if err != nil {
			b.Fatalf("after %d records: %v", len(values), err)
		}
		for _, record := range records {
			values = append(values, string(record.Value))
		}
	}
	return values
}

func TestWhoFollowsGetsWhatComesFromNowOn(t *testing.T) {
	b := newBroker(t, 1)
	c := b.cluster()
	b.produce(text("before", 0))
	first := b.follow(c)
	b.produce(text("a", 0))
	second := b.follow(c) // while the tail may not have come to a
	b.produce(text("b", 0))
	if diff := cmp.Diff([]string{"a", "b"}, b.values(first, 2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b"}, b.values(second, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Place{0: 3}, second.Place()); diff != "" {
		t.Error(diff)
	}
}

// Many readers cost Kafka no more connections than one, and the last one ends the fetch stream.
func TestReadersShareAFetchStream(t *testing.T) {
	b := newBroker(t, 1)
	c := b.cluster()
	var clients sync.Map
	b.kafka.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.kafka.KeepControl()
		clients.Store(r.(*kmsg.FetchRequest).SessionID, true)
		return nil, nil, false
	})
	var readers []*Reader
	for range 50 {
		readers = append(readers, b.follow(c))
	}
	b.produceMany(100, 0)
	for _, r := range readers {
		if got := b.values(r, 100); got[99] != "99" {
			t.Errorf("the last is %s", got[99])
		}
	}
	if len(c.tails) != 1 || c.tails[topic].first != c.tails[topic].next || c.tails[topic].bytes != 0 {
		t.Errorf("%d tails, which keep what everybody has read", len(c.tails))
	}
	for _, r := range readers {
		r.Close()
	}
	if len(c.tails) != 0 {
		t.Error("the tail stays without readers")
	}
	sessions := 0
	clients.Range(func(any, any) bool { sessions++; return true })
	if sessions > 2 { // 0 asks for a session
		t.Errorf("%d fetch sessions", sessions)
	}
}

// Who is too slow loses the oldest, which is counted; nobody else loses anything.
func TestSlowReaderLosesTheOldest(t *testing.T) {
	b := newBroker(t, 1)
	c := b.cluster()
	slow, fast := b.follow(c), b.follow(c)
	const all = 3 * tailRecords
	var read atomic.Int64
	done := make(chan []string, 1)
	go func() {
		var values []string
		for len(values) < all {
			records, err := fast.Next(t.Context())
			if err != nil {
				break
			}
			for _, record := range records {
				values = append(values, string(record.Value))
			}
			read.Store(int64(len(values)))
		}
		done <- values
	}()
	for from := 0; from < all; from += tailRecords / 4 {
		b.produceMany(tailRecords/4, 0)
		neighbour.Eventually(t, "the fast reader", func() bool { return read.Load() >= int64(from+tailRecords/4) })
	}
	if values := <-done; len(values) != all || fast.Lost() != 0 {
		t.Errorf("%d records, and %d lost", len(values), fast.Lost())
	}
	got := b.values(slow, tailRecords)
	if n := slow.Lost(); n != all-tailRecords || len(got) != tailRecords {
		t.Errorf("%d records, and %d lost", len(got), n)
	}
	slow.Close()
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestReaderBeginsWhereItIsTold(t *testing.T) {
	b := newBroker(t, 2)
	c := b.cluster()
	b.produceMany(10, 0)
	f := func(from, first string) {
		t.Helper()
		where, err := ParseFrom(from)
		if err != nil {
			t.Fatal(err)
		}
		r := b.reader(c.Read(t.Context(), topic, where))
		if got := b.values(r, 1); got[0] != first {
			t.Errorf("%s: the first is %s, want %s", from, got[0], first)
		}
	}
	f("earliest", "0")
	f("4", "4")
	f("2001-01-01T00:00:00Z", "0")
	r := b.reader(c.ReadAt(t.Context(), topic, Place{0: 7}))
	if got := b.values(r, 3); got[0] != "7" {
		t.Errorf("the first is %s", got[0])
	}
	go r.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestNewGroupBeginsWhereItIsTold(t *testing.T) {
	f := func(from string, want int) {
		t.Helper()
		b := newBroker(t, 1)
		b.produceMany(10, 0)
		where, err := ParseFrom(from)
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{}
		m := &member{Consumer: b.cluster().NewConsumer(Options{Topic: topic, Group: group, Limit: 8, From: where, Handler: r.handle})}
		b.run(m)
		b.produce(text("10", 0))
		r.await(t, 11-want)
		if got := r.got(); got[0] != strconv.Itoa(want) {
			t.Errorf("%s: the first is %s, want %d", from, got[0], want)
		}
	}
	f("earliest", 0)
	f("latest", 10)
	f("3", 3)
	f("99", 10)
	f(time.Now().Add(time.Hour).Format(time.RFC3339), 10)
}

func TestParseFrom(t *testing.T) {
	for _, bad := range []string{"Earliest", "-1", "1.5", "2026-01-31", "9223372036854775808", "yesterday"} {
		if _, err := ParseFrom(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if f, err := ParseFrom(""); err != nil || !f.Latest() {
		t.Errorf("nothing is %v, %v", f, err)
	}
}
