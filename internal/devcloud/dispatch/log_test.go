package dispatch

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/triggers"
)

// burst writes many records into partition 0, of which the topic has three: a fetch of the others, which are empty, is on
// its way all the time.
func (b *bench) burst(n int) {
	b.t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, binary(fmt.Sprint(i)))
	}
	b.produce(records...)
}

// A burst never waits for a fetch that finds nothing: here such a fetch lasts for an hour.
func TestBurstWaitsForNoFetch(t *testing.T) {
	f := func(name string, ordered bool, n int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 3)
			b.dispatcher.deps.fetchMaxWait, b.dispatcher.deps.roomTimeout = time.Hour, time.Hour
			s := b.subscription()
			s.Policy.Ordered = ordered
			b.serve(b.dispatcher, s)
			b.burst(n)
			neighbour.Eventually(t, "all events", func() bool { return b.dispatcher.Status()[0].Delivered == uint64(n) })
		})
	}
	f("unordered", false, 20*queueHigh)
	f("ordered", true, 6*queueHigh)
}

// A partition that is stuck keeps the others waiting for a while only, and catches up when it is free.
func TestStuckPartitionDoesNotStopTheOthers(t *testing.T) {
	b := newBench(t, 3)
	b.dispatcher.deps.fetchMaxWait, b.dispatcher.deps.roomTimeout = 50*time.Millisecond, 50*time.Millisecond
	free := make(chan struct{})
	b.receiver.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Knativekafkapartition") == "0" {
			<-free
		}
		w.WriteHeader(http.StatusAccepted)
	}
	s := b.subscription()
	s.Policy.Ordered = true
	b.serve(b.dispatcher, s)
	const n = 4 * queueHigh
	b.burst(n)
	b.receiver.wait(t, 1)
	for i := range 3 * queueHigh {
		r := binary(fmt.Sprintf("other-%d", i))
		r.Partition = 1
		b.produce(r)
	}
	neighbour.Eventually(t, "the other partition", func() bool { return b.dispatcher.Status()[0].Delivered == 3*queueHigh })
	close(free)
	neighbour.Eventually(t, "the rest", func() bool { return b.dispatcher.Status()[0].Delivered == n+3*queueHigh })
}

// A lockedBuffer is written to and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What is logged says at the first failure that a side fails, in the end which side answered what, and never a password.
func TestLogSaysWhoAnsweredWhatAndNoPassword(t *testing.T) {
	b := newBench(t, 1)
	var log lockedBuffer
	d, err := New(Options{
		Kafka: kafka.Config{Brokers: b.cluster.ListenAddrs()}, Observe: b.observe,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close(d)
	b.receiver.answerWith(503)
	sink := newReceiver(t)
	sink.answerWith(410, 200)
	withPassword := func(address string) string { return strings.Replace(address, "http://", "http://user:s3cret@", 1) }
	s := b.subscription()
	s.Subscriber, s.DeadLetter = withPassword(b.receiver.server.URL), withPassword(sink.server.URL)
	s.Policy.Retries, s.Policy.BackoffDelay, s.Policy.Ordered = 2, time.Millisecond, true
	b.serve(d, s)
	b.produce(binary("a"), binary("b"))
	first, second := b.report(0), b.report(1)
	if first.Result != Lost || second.Result != DeadLettered {
		t.Errorf("reports %+v, %+v", first, second)
	}
	for _, want := range []string{
		`"a delivery failed and is tried again"`, `error="the subscriber answered status 503"`,
		"the subscriber answered status 503; the dead letter sink answered status 410",
		`"event went to the dead letter sink"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "tried again"); n != 1 {
		t.Errorf("told %d times that it is tried again", n)
	}
	letter := sink.wait(t, 2)[1]
	if got := letter.header.Get("Ce-Knativeerrordest"); got != b.receiver.server.URL {
		t.Errorf("knativeerrordest %q", got)
	}
	all := log.String() + fmt.Sprint(b.receiver.requests, sink.requests, first.Err, second.Err, d.Status())
	if strings.Contains(all, "s3cret") || strings.Contains(all, "user:") || letter.header.Get("Authorization") != "" {
		t.Errorf("the password got out: %s", all)
	}
}

// TestAttributesAreEncoded sends what the CloudEvents HTTP binding wants percent-encoded.
func TestAttributesAreEncoded(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := percentEncoded(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	f("", "")
	f("plain/text~!*'();:@&=+$,[]", "plain/text~!*'();:@&=+$,[]")
	f("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80")
	f(`100% "q"`, "100%25%20%22q%22")
	f(" x ", "%20x%20")
	f("a\r\nb\x00\x7f", "a%0D%0Ab%00%7F")
	f("example%2Dapp/device1", "example%252Dapp/device1")
}

// BenchmarkBurst delivers what was written at once: 20,000 events without an order and 6,000 in order. What it reports is
// the rate, and the longest time in which no event came.
func BenchmarkBurst(b *testing.B) {
	f := func(name string, ordered bool, n int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rate, gap := burst(b, ordered, n)
				b.ReportMetric(rate, "events/s")
				b.ReportMetric(gap.Seconds()*1000, "ms-longest-gap")
			}
		})
	}
	f("unordered", false, 20_000)
	f("ordered", true, 6_000)
}

func burst(b *testing.B, ordered bool, n int) (rate float64, gap time.Duration) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	var mu sync.Mutex
	var first, last time.Time
	got, done := 0, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if got == 0 {
			first, last = now, now
		}
		gap, last = max(gap, now.Sub(last)), now
		if got++; got == n {
			close(done)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	d, err := New(Options{Kafka: kafka.Config{Brokers: cluster.ListenAddrs()}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close(b.Context())
	s := Subscription{
		Name: "default/t", Group: "g", Topic: topic, Subscriber: server.URL, Version: "1",
		Policy: triggers.Policy{Timeout: time.Minute, Ordered: ordered},
	}
	if err := d.Apply([]Subscription{s}); err != nil {
		b.Fatal(err)
	}
	if err := d.Settled(b.Context()); err != nil {
		b.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.Fatal(err)
	}
	defer producer.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = binary(fmt.Sprint(i))
		records[i].Partition = int32(i % 3)
	}
	if err := producer.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		b.Fatalf("%d of %d events came", got, n)
	}
	mu.Lock()
	defer mu.Unlock()
	return float64(n) / last.Sub(first).Seconds(), gap
}
