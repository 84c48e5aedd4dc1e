package dispatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/triggers"
)

const topic = "events-app"

// A bench is a broker, a dispatcher and a receiver that notes what it gets.
type bench struct {
	t          *testing.T
	cluster    *kfake.Cluster
	producer   *kgo.Client
	receiver   *receiver
	dispatcher *Dispatcher

	mu      sync.Mutex
	reports []Report
}

func newBench(t *testing.T, partitions int32) *bench {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := &bench{t: t, cluster: cluster, receiver: newReceiver(t)}
	b.producer, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.producer.Close)
	b.dispatcher = b.newDispatcher()
	return b
}

func (b *bench) newDispatcher() *Dispatcher {
	b.t.Helper()
	d, err := New(Options{Kafka: kafka.Config{Brokers: b.cluster.ListenAddrs()}, Observe: b.observe})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.close(d) })
	return d
}

func (b *bench) close(d *Dispatcher) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) observe(r Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, r)
}

func (b *bench) report(i int) Report {
	b.t.Helper()
	neighbour.Eventually(b.t, fmt.Sprintf("report %d", i), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.reports) > i
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reports[i]
}

func (b *bench) subscription() Subscription {
	return Subscription{
		Name: "default/t", Group: "fairlead-trigger-default.t", Topic: topic, Application: "app", Version: "1",
		Subscriber: b.receiver.server.URL, Policy: triggers.Policy{Timeout: 30 * time.Second},
	}
}

func (b *bench) serve(d *Dispatcher, subscriptions ...Subscription) {
	b.t.Helper()
	if err := d.Apply(subscriptions); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if err := d.Settled(ctx); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) produce(records ...*kgo.Record) {
	b.t.Helper()
	if err := b.producer.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// committed is the committed offset of a group in partition 0, -1 for none.
func (b *bench) committed(group string) int64 {
	b.t.Helper()
	offset, ok := b.offsets(group)[0]
	if !ok {
		return -1
	}
	return offset
}

// offsets lists the committed offsets of a group in the topic by partition.
func (b *bench) offsets(group string) map[int32]int64 {
	b.t.Helper()
	offsets, err := kadm.NewClient(b.producer).FetchOffsets(b.t.Context(), group)
	if err != nil {
		b.t.Fatal(err)
	}
	all := map[int32]int64{}
	for id, o := range offsets[topic] {
		all[id] = o.At
	}
	return all
}

// binary is a device's event as a record in binary mode.
func binary(id string, more ...string) *kgo.Record {
	headers := []string{
		"ce_specversion", "1.0", "ce_id", id, "ce_type", "io.drogue.event.v1", "ce_source", "drogue://app/device1",
		"ce_subject", "state", "ce_time", "2026-01-02T03:04:05Z", "content-type", "application/json",
		"ce_device", "device1", "ce_partitionkey", "app/device1",
	}
	r := &kgo.Record{Topic: topic, Value: []byte(`{"n":1}`)}
	all := append(headers, more...)
	for i := 0; i < len(all); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: all[i], Value: []byte(all[i+1])})
	}
	return r
}

// A receiver notes requests and answers as it is told; by default 202 without a body.
type receiver struct {
	server *httptest.Server

	mu       sync.Mutex
	requests []request
	answer   func(n int, w http.ResponseWriter, r *http.Request) // n counts from 0
}

type request struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, incoming *http.Request) {
	body, _ := io.ReadAll(incoming.Body)
	r.mu.Lock()
	n := len(r.requests)
	r.requests = append(r.requests, request{incoming.Header, string(body)})
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(n, w, incoming)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (r *receiver) answerWith(statuses ...int) {
	r.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[min(n, len(statuses)-1)])
	}
}

func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, q := range r.requests {
		ids = append(ids, q.header.Get("Ce-Id"))
	}
	return ids
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

func (r *receiver) wait(t *testing.T, n int) []request {
	t.Helper()
	neighbour.Eventually(t, fmt.Sprintf("%d requests", n), func() bool { return len(r.ids()) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.requests...)
}

func TestDeliversInBinaryMode(t *testing.T) {
	b := newBench(t, 1)
	b.produce(binary("before")) // a new group starts at the newest record
	b.serve(b.dispatcher, b.subscription())
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b.produce(binary("a", "traceparent", trace))
	got := b.receiver.wait(t, 1)[0]
	want := map[string]string{
		"Ce-Id": "a", "Ce-Type": "io.drogue.event.v1", "Ce-Source": "drogue://app/device1", "Ce-Subject": "state",
		"Ce-Time": "2026-01-02T03:04:05Z", "Ce-Specversion": "1.0", "Ce-Device": "device1",
		"Ce-Partitionkey": "app/device1", "Content-Type": "application/json", "Traceparent": trace,
		"Prefer": "reply", "Kn-Namespace": "default", "Ce-Knativekafkapartition": "0", "Ce-Knativekafkaoffset": "1",
	}
	for name, value := range want {
		if got.header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
		}
	}
	if got.body != `{"n":1}` {
		t.Errorf("body %q", got.body)
	}
	if r := b.report(0); r.Result != Delivered || r.Status != 202 || r.Attempts != 1 {
		t.Errorf("report %+v", r)
	}
	neighbour.Eventually(t, "the commit", func() bool { return b.committed("fairlead-trigger-default.t") == 2 })
	neighbour.Eventually(t, "no lag", func() bool { return b.dispatcher.Status()[0].Lag == 0 })
}

func TestDeliversStructuredModeAndSkipsWhatIsNoEvent(t *testing.T) {
	b := newBench(t, 1)
	b.serve(b.dispatcher, b.subscription())
	b.produce(
		&kgo.Record{Topic: topic, Value: []byte("no event")},
		&kgo.Record{Topic: topic, Value: []byte(`{"specversion":"1.0","id":"s","type":"t","source":"/s","data":{"x":1}}`),
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}}},
	)
	got := b.receiver.wait(t, 1)[0]
	if got.header.Get("Ce-Id") != "s" || got.body != `{"x":1}` {
		t.Errorf("got %v %q", got.header, got.body)
	}
	// Records without an order may be reported in any.
	if first, second := b.report(0).Result, b.report(1).Result; !(first == Invalid && second == Delivered) && !(first == Delivered && second == Invalid) {
		t.Errorf("results %v and %v", first, second)
	}
	neighbour.Eventually(t, "the commit", func() bool { return b.committed("fairlead-trigger-default.t") == 2 })
}

type onlyID string

func (o onlyID) Select(e *triggers.Event) (bool, error) { return e.ID() == string(o), nil }

func TestFilteredRecordsAreCommitted(t *testing.T) {
	b := newBench(t, 1)
	s := b.subscription()
	s.Filter = onlyID("b")
	b.serve(b.dispatcher, s)
	b.produce(binary("a"), binary("b"), binary("c"))
	neighbour.Eventually(t, "the commit", func() bool { return b.committed(s.Group) == 3 })
	if diff := cmp.Diff([]string{"b"}, b.receiver.ids()); diff != "" {
		t.Error(diff)
	}
	if st := b.dispatcher.Status()[0]; st.Filtered != 2 || st.Delivered != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestRetries(t *testing.T) {
	f := func(name string, retries int, statuses []int, wantRequests int, want Result) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1)
			b.receiver.answerWith(statuses...)
			s := b.subscription()
			s.Policy.Retries, s.Policy.BackoffDelay = retries, time.Millisecond
			b.serve(b.dispatcher, s)
			b.produce(binary("a"))
			if r := b.report(0); r.Result != want || r.Attempts != wantRequests {
				t.Errorf("%s after %d attempts, want %s after %d", r.Result, r.Attempts, want, wantRequests)
			}
			if got := len(b.receiver.ids()); got != wantRequests {
				t.Errorf("%d requests, want %d", got, wantRequests)
			}
			neighbour.Eventually(t, "the commit", func() bool { return b.committed(s.Group) == 1 })
		})
	}
	f("5xx, 404, 408, 409 and 429 are tried again", 5, []int{503, 404, 408, 409, 429, 200}, 6, Delivered)
	f("until the policy ends", 2, []int{500}, 3, Lost)
	f("no retry", 0, []int{500, 200}, 1, Lost)
	f("another 4xx is final", 5, []int{400}, 1, Lost)
	f("a redirect is final", 5, []int{307}, 1, Lost)
	f("no content is a success", 5, []int{204}, 1, Delivered)
}

func TestTransportErrorsAndTimeoutsAreRetried(t *testing.T) {
	b := newBench(t, 1)
	released := make(chan struct{})
	b.receiver.answer = func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 0:
			panic(http.ErrAbortHandler) // the connection breaks
		case 1:
			<-r.Context().Done() // no answer in time
			close(released)
		default:
			w.WriteHeader(http.StatusOK)
		}
	}
	s := b.subscription()
	s.Policy.Retries, s.Policy.Timeout, s.Policy.BackoffDelay = 3, 200*time.Millisecond, time.Millisecond
	b.serve(b.dispatcher, s)
	b.produce(binary("a"))
	if r := b.report(0); r.Result != Delivered || r.Attempts != 3 {
		t.Errorf("report %+v", r)
	}
	<-released
}

func TestDeadLetter(t *testing.T) {
	f := func(name string, answer http.HandlerFunc, want map[string]string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1)
			b.receiver.answer = func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, r) }
			sink := newReceiver(t)
			s := b.subscription()
			s.DeadLetter = sink.server.URL
			b.serve(b.dispatcher, s)
			b.produce(binary("a"))
			letter := sink.wait(t, 1)[0]
			want["Ce-Knativeerrordest"] = s.Subscriber
			for _, name := range []string{"Ce-Knativeerrordest", "Ce-Knativeerrorcode", "Ce-Knativeerrordata", "Ce-Why", "Ce-Type"} {
				if name == "Ce-Type" {
					want[name] = "io.drogue.event.v1"
				}
				if letter.header.Get(name) != want[name] {
					t.Errorf("%s is %q, want %q", name, letter.header.Get(name), want[name])
				}
			}
			if letter.body != `{"n":1}` {
				t.Errorf("body %q", letter.body)
			}
			if r := b.report(0); r.Result != DeadLettered {
				t.Errorf("report %+v", r)
			}
			neighbour.Eventually(t, "the commit", func() bool { return b.committed(s.Group) == 1 })
		})
	}
	long := strings.Repeat("x", 5000)
	f("refused", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Kne-Why", "because")
		w.Header().Set("Kne-Type", "must not change the event")
		w.WriteHeader(400)
		_, _ = io.WriteString(w, long)
	}, map[string]string{
		"Ce-Knativeerrorcode": "400", "Ce-Knativeerrordata": base64.StdEncoding.EncodeToString([]byte(long[:1024])), "Ce-Why": "because",
	})
	f("refused without a body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422) }, map[string]string{"Ce-Knativeerrorcode": "422"})
	f("broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, map[string]string{})
	f("2xx with a body that is no event", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thank you") }, map[string]string{})
	f("2xx beyond the bound", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, maxReply+1))
	}, map[string]string{})
}

func TestDeadLetterSinkThatFailsLosesTheEvent(t *testing.T) {
	b := newBench(t, 1)
	b.receiver.answerWith(500)
	sink := newReceiver(t)
	sink.answerWith(500)
	s := b.subscription()
	s.DeadLetter, s.Policy.Retries, s.Policy.BackoffDelay = sink.server.URL, 1, time.Millisecond
	b.serve(b.dispatcher, s)
	b.produce(binary("a"))
	if r := b.report(0); r.Result != Lost {
		t.Errorf("report %+v", r)
	}
	if n := len(sink.ids()); n != 2 {
		t.Errorf("%d requests to the sink, want 2: the retries count for it too", n)
	}
	neighbour.Eventually(t, "the commit", func() bool { return b.committed(s.Group) == 1 })
}

func TestReplyGoesIntoTheTopic(t *testing.T) {
	b := newBench(t, 1)
	b.receiver.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		h := w.Header()
		h.Set("Ce-Specversion", "1.0")
		h.Set("Ce-Id", "reply")
		h.Set("Ce-Type", "answer")
		h.Set("Ce-Source", "/subscriber")
		h.Set("Ce-Partitionkey", "k")
		h.Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello")
	}
	b.serve(b.dispatcher, b.subscription())
	b.produce(binary("a"))
	reply := b.receiver.wait(t, 2)[1]
	for name, want := range map[string]string{"Ce-Id": "reply", "Ce-Type": "answer", "Ce-Fairleadhops": "1", "Ce-Partitionkey": "k", "Content-Type": "text/plain"} {
		if reply.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, reply.header.Get(name), want)
		}
	}
	if reply.body != "hello" {
		t.Errorf("body %q", reply.body)
	}
}

func TestReplyLoopEnds(t *testing.T) {
	b := newBench(t, 1)
	b.receiver.answer = func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/cloudevents+json")
		_, _ = fmt.Fprintf(w, `{"specversion":"1.0","id":"r%d","type":"again","source":"/loop"}`, n)
	}
	b.serve(b.dispatcher, b.subscription())
	b.produce(binary("a"))
	neighbour.Eventually(t, "the end of the loop", func() bool { return b.dispatcher.Status()[0].Loops == 1 })
	if st := b.dispatcher.Status()[0]; st.Replies != MaxHops {
		t.Errorf("%d replies, want %d", st.Replies, MaxHops)
	}
}

func TestOrderedDeliveryKeepsTheOrder(t *testing.T) {
	b := newBench(t, 2)
	b.receiver.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%3 == 0 {
			w.WriteHeader(503) // a retry must not let the next one pass
			return
		}
		w.WriteHeader(202)
	}
	s := b.subscription()
	s.Policy.Ordered, s.Policy.Retries, s.Policy.BackoffDelay = true, 10, time.Millisecond
	b.serve(b.dispatcher, s)
	const each = 40
	for i := range each {
		for p := range int32(2) {
			r := binary(fmt.Sprintf("%d-%03d", p, i))
			r.Partition = p
			b.produce(r)
		}
	}
	neighbour.Eventually(t, "all events", func() bool { return b.dispatcher.Status()[0].Delivered == 2*each })
	last := map[byte]string{}
	for _, id := range b.receiver.ids() {
		if id < last[id[0]] {
			t.Fatalf("%s came after %s", id, last[id[0]])
		}
		last[id[0]] = id
	}
}

func TestUnorderedDeliveryDoesNotWaitForASlowOne(t *testing.T) {
	b := newBench(t, 1)
	free := make(chan struct{})
	b.receiver.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Id") == "slow" {
			<-free
		}
		w.WriteHeader(202)
	}
	s := b.subscription()
	b.serve(b.dispatcher, s)
	b.produce(binary("slow"), binary("b"), binary("c"))
	neighbour.Eventually(t, "the others", func() bool { return b.dispatcher.Status()[0].Delivered == 2 })
	if got := b.committed(s.Group); got != 0 {
		t.Errorf("offset %d was committed while the first record is on its way", got)
	}
	close(free)
	neighbour.Eventually(t, "the commit", func() bool { return b.committed(s.Group) == 3 })
}

func TestCloseLetsRequestsEndAndGivesUpWaiting(t *testing.T) {
	b := newBench(t, 2)
	answer := make(chan struct{})
	b.receiver.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Id") == "refused" {
			w.WriteHeader(503)
			return
		}
		<-answer
		w.WriteHeader(202)
	}
	s := b.subscription()
	s.Policy.Retries, s.Policy.BackoffDelay = 1, time.Hour
	b.serve(b.dispatcher, s)
	refused, slow := binary("refused"), binary("slow")
	slow.Partition = 1
	b.produce(refused, slow)
	b.receiver.wait(t, 2)
	neighbour.Eventually(t, "the retry", func() bool { return b.dispatcher.Status()[0].Retried == 1 })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.close(b.dispatcher)
	}()
	close(answer)
	<-closed
	want := map[int32]int64{0: 0, 1: 1}
	if diff := cmp.Diff(want, b.offsets(s.Group)); diff != "" {
		t.Error(diff)
	}
}

func TestCloseEndsRequestsAtItsDeadline(t *testing.T) {
	b := newBench(t, 1)
	b.receiver.answer = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	s := b.subscription()
	b.serve(b.dispatcher, s)
	b.produce(binary("a"))
	b.receiver.wait(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.dispatcher.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := b.committed(s.Group); got != 0 {
		t.Errorf("offset %d was committed", got)
	}
}

func TestRestartContinuesWhereItStopped(t *testing.T) {
	b := newBench(t, 1)
	s := b.subscription()
	b.serve(b.dispatcher, s)
	b.produce(binary("a"))
	b.report(0)
	b.close(b.dispatcher)
	b.produce(binary("b")) // while nobody runs
	b.serve(b.newDispatcher(), s)
	b.receiver.wait(t, 2)
	if diff := cmp.Diff([]string{"a", "b"}, b.receiver.ids()); diff != "" {
		t.Error(diff)
	}
}

func TestApplyChangesTheSet(t *testing.T) {
	b := newBench(t, 1)
	s := b.subscription()
	b.serve(b.dispatcher, s)
	b.produce(binary("a"))
	b.receiver.wait(t, 1)

	elsewhere := newReceiver(t)
	changed := s
	changed.Subscriber, changed.Version = elsewhere.server.URL, "2"
	b.serve(b.dispatcher, changed)
	b.produce(binary("b"))
	elsewhere.wait(t, 1)
	if diff := cmp.Diff([]string{"b"}, elsewhere.ids()); diff != "" {
		t.Error(diff)
	}

	b.serve(b.dispatcher)
	if st := b.dispatcher.Status(); len(st) != 0 {
		t.Errorf("still served: %v", st)
	}
	bad := s
	bad.Subscriber = "ftp://x"
	if err := b.dispatcher.Apply([]Subscription{bad}); err == nil {
		t.Error("a subscriber that is no http URL was taken")
	}
}

func TestMissingTopicWaitsAndThenDelivers(t *testing.T) {
	b := newBench(t, 1)
	s := b.subscription()
	s.Topic = "events-apps"
	b.serve(b.dispatcher, s)
	if st := b.dispatcher.Status()[0]; st.State != stream.Waiting || !strings.Contains(st.Reason, "does not exist") || !strings.Contains(st.Reason, "did you mean app?") {
		t.Fatalf("status %+v", st)
	}
	if err := kafka.EnsureTopics(t.Context(), kafka.Config{Brokers: b.cluster.ListenAddrs()}, 1, s.Topic); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the start", func() bool { return b.dispatcher.Status()[0].State == stream.Running })
	r := binary("a")
	r.Topic = s.Topic
	b.produce(r)
	b.receiver.wait(t, 1)
}
