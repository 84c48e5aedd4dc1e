package dispatch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/triggers"
)

// Observations are what the dispatcher of Knative's Kafka Broker was seen to do. testdata/observed.json says which version.
type observations struct {
	Sets []struct {
		Records  []observedRecord
		Requests []observedRequest
		Filters  []observedFilter
	}
	Deliveries []observedDelivery
	Replies    []observedRecord
}

// An observedRecord is a Kafka record. A value is a text, null, or an object for bytes that are no text.
type observedRecord struct {
	Record  string
	Key     *string
	Headers [][2]any
	Value   any
}

// An observedRequest is what one record became for a Trigger without a filter.
type observedRequest struct {
	Case      string
	Delivered bool
	Request   *struct {
		Headers map[string]string
		Body    string // base64, or "N bytes"
	}
}

type observedFilter struct {
	Case      string
	Trigger   json.RawMessage // its spec
	Delivered []string
}

// What follows are all differences. triggers/README.md says why.
var (
	// refusedFilters are refused by Compile with a reason. The dispatcher takes them for false, or looks a Secret up.
	refusedFilters = []string{"f217", "f219", "f221"}
	// noHeader are records with control characters in an attribute. They are delivered here; there they get lost.
	noHeader = []string{"r38", "r62", "r66", "r67", "s38"}
	// withCredentials are deliveries whose dead letter names the subscriber without its credentials here.
	withCredentials = []string{"d-userinfo-dls"}
)

func observed(t *testing.T) (o observations) {
	t.Helper()
	text, err := os.ReadFile("testdata/observed.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func (r *observedRecord) record() *kgo.Record {
	record := &kgo.Record{Topic: topic, Value: observedBytes(r.Value)}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h[0].(string), Value: observedBytes(h[1])})
	}
	return record
}

func observedBytes(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case map[string]any:
		if n, ok := v["bytes"].(float64); ok {
			return make([]byte, int(n))
		}
		text, _ := v["base64"].(string)
		b, _ := base64.StdEncoding.DecodeString(text)
		return b
	}
	return nil
}

// observedBody is a body as it was noted; a long one only by its length.
func observedBody(noted string, filler byte) []byte {
	if n, ok := strings.CutSuffix(noted, " bytes"); ok {
		length, _ := strconv.Atoi(n)
		return []byte(strings.Repeat(string(filler), length))
	}
	b, _ := base64.StdEncoding.DecodeString(noted)
	return b
}

// A stage runs single deliveries through the whole path: record, filter, request, response, reply.
type stage struct {
	sender  *sender
	metrics *metrics

	mu      sync.Mutex
	replies []*kgo.Record
}

func newStage(t *testing.T) *stage {
	t.Helper()
	metrics, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{sender: newSender(), metrics: metrics}
	t.Cleanup(s.sender.close)
	return s
}

func (s *stage) run(t *testing.T, subscription *Subscription, record *kgo.Record) {
	t.Helper()
	d := delivery{
		subscription: subscription, sender: s.sender, metrics: s.metrics, counts: &counts{}, stopping: make(chan struct{}),
		failing: func(string, error, int) {}, working: func(string) {},
		produce: func(_ context.Context, record *kgo.Record) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.replies = append(s.replies, record)
			return nil
		},
	}
	if _, err := d.run(t.Context(), record); err != nil {
		t.Fatal(err)
	}
}

// TestRequestsAreAsObserved sends each record to a subscriber, and compares whether it comes, its headers and its body.
func TestRequestsAreAsObserved(t *testing.T) {
	s, r := newStage(t), newReceiver(t)
	compared := 0
	for _, set := range observed(t).Sets {
		for _, want := range set.Requests {
			i := slices.IndexFunc(set.Records, func(r observedRecord) bool { return "record "+r.Record == want.Case })
			if want.Case == "record r31second" { // noted under its second id
				i = slices.IndexFunc(set.Records, func(r observedRecord) bool { return r.Record == "r31" })
			}
			if want.Case == "record r31" || i < 0 {
				continue
			}
			before := len(r.ids())
			s.run(t, &Subscription{Name: "default/t", Topic: topic, Subscriber: r.server.URL}, want.place(set.Records[i].record()))
			compareRequest(t, set.Records[i].Record, &want, r.wait(t, 0)[before:])
			compared++
		}
	}
	if compared < 50 {
		t.Errorf("only %d requests were compared", compared)
	}
}

// place is a record where it was in the topic.
func (want *observedRequest) place(record *kgo.Record) *kgo.Record {
	if want.Request != nil {
		partition, _ := strconv.Atoi(want.Request.Headers["ce-knativekafkapartition"])
		offset, _ := strconv.Atoi(want.Request.Headers["ce-knativekafkaoffset"])
		record.Partition, record.Offset = int32(partition), int64(offset)
	}
	return record
}

func compareRequest(t *testing.T, name string, want *observedRequest, got []request) {
	t.Helper()
	if (len(got) == 1) != (want.Delivered != slices.Contains(noHeader, name)) {
		t.Errorf("%s: %d requests; delivered there: %v", name, len(got), want.Delivered)
		return
	}
	if want.Request == nil {
		return
	}
	delete(want.Request.Headers, "content-length")
	delete(want.Request.Headers, "traceparent") // their tracing goes on from record to record
	delete(want.Request.Headers, "tracestate")
	if diff := cmp.Diff(want.Request.Headers, asThere(t, got[0].header)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	if body := observedBody(want.Request.Body, 0); got[0].body != string(body) {
		t.Errorf("%s: body %.100q, want %.100q", name, got[0].body, body)
	}
}

// asThere undoes the percent-encoding of attributes, and writes a question mark for what is not Latin-1, as the dispatcher
// does. Headers of HTTP itself are left out.
func asThere(t *testing.T, header http.Header) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, values := range header {
		name = strings.ToLower(name)
		text := values[0]
		switch {
		case name == "content-type" || name == "prefer" || name == "kn-namespace":
		case strings.HasPrefix(name, attributeHeader):
			decoded, err := url.PathUnescape(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text = strings.Map(func(r rune) rune {
				if r > 0xff {
					return '?'
				}
				return r
			}, decoded)
		default:
			continue
		}
		out[name] = text
	}
	return out
}

// TestFiltersDecideAsObserved puts every record to every Trigger, and compares which come to the subscriber.
func TestFiltersDecideAsObserved(t *testing.T) {
	s, r := newStage(t), newReceiver(t)
	var refused []string
	decisions := 0
	for _, set := range observed(t).Sets {
		var partition0 []string // told by the case that asks for the partition
		if i := slices.IndexFunc(set.Filters, func(f observedFilter) bool { return f.Case == "f226" }); i >= 0 {
			partition0 = set.Filters[i].Delivered
		}
		for _, f := range set.Filters {
			var spec triggers.TriggerSpec
			if err := json.Unmarshal(f.Trigger, &spec); err != nil {
				t.Fatalf("%s: %v", f.Case, err)
			}
			filter, err := triggers.Compile(&triggers.Trigger{Spec: spec})
			if err != nil {
				refused = append(refused, f.Case)
				continue
			}
			subscription := Subscription{Name: "default/t", Topic: topic, Subscriber: r.server.URL, Filter: filter}
			for i := range set.Records {
				name, record := set.Records[i].Record, set.Records[i].record()
				if slices.Contains(noHeader, name) {
					continue
				}
				if name == "r31" {
					name = "r31second"
				}
				if !slices.Contains(partition0, name) {
					record.Partition = 1
				}
				before := r.count()
				s.run(t, &subscription, record)
				decisions++
				if got, want := r.count() > before, slices.Contains(f.Delivered, name); got != want {
					t.Errorf("%s %s: record %s: %v, there %v", f.Case, f.Trigger, name, got, want)
				}
			}
		}
	}
	if diff := cmp.Diff(refusedFilters, refused); diff != "" {
		t.Errorf("filters that are refused (-want +got):\n%s", diff)
	}
	if decisions < 8000 {
		t.Errorf("only %d decisions were compared", decisions)
	}
}

// An observedDelivery is how subscriber and dead letter sink behaved, and what the dispatcher did. The policy's times are in
// milliseconds, delays in seconds.
type observedDelivery struct {
	Case   string
	Events int
	Policy struct {
		Retry         int
		BackoffPolicy string
		BackoffDelay  int
		Timeout       int
		DLS           bool
	}
	SubscriberURL *string          `json:"subscriber_url"`
	Subscriber    []observedAnswer `json:"subscriber_answers"`
	DeadLetter    []observedAnswer `json:"dead_letter_answers"`
	Observed      struct {
		Requests      int
		DeadLetters   int               `json:"dead_letters"`
		Attributes    map[string]string `json:"dead_letter_attributes"`
		Authorization []string
	}
}

type observedAnswer struct {
	Status  int
	Body    string
	Headers [][2]string
	Delay   float64
	Mode    string
}

// An actor answers as one side was seen to, and notes what it gets. The n-th request of an event gets the n-th answer, the
// last one again and again.
type actor struct {
	server   *httptest.Server
	answers  []observedAnswer
	timeout  time.Duration
	mu       sync.Mutex
	requests []http.Header
	seen     map[string]int
}

func newActor(t *testing.T, answers []observedAnswer, timeout int) *actor {
	a := &actor{answers: answers, timeout: time.Duration(timeout) * time.Millisecond, seen: map[string]int{}}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

// late tells whether an answer comes after the timeout.
func (a *actor) late(answer observedAnswer) bool {
	return time.Duration(answer.Delay*float64(time.Second)) > a.timeout
}

func (a *actor) next(r *http.Request) observedAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := r.Header.Get("Ce-Id")
	answer := a.answers[min(a.seen[id], len(a.answers)-1)]
	a.seen[id]++
	a.requests = append(a.requests, r.Header)
	return answer
}

func (a *actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if strings.HasSuffix(r.URL.Path, "/redirected/sub") {
		return
	}
	answer := a.next(r)
	if a.late(answer) {
		<-r.Context().Done()
		return
	}
	switch answer.Mode {
	case "rst":
		panic(http.ErrAbortHandler)
	case "partial":
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(answer.Status)
		_, _ = io.WriteString(w, "part")
		panic(http.ErrAbortHandler)
	case "early":
		w.WriteHeader(http.StatusEarlyHints)
	}
	w.Header()["Content-Type"] = nil // no guess
	for _, h := range answer.Headers {
		w.Header().Add(h[0], h[1])
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(observedBody(answer.Body, 'c'))
}

func (a *actor) got() []http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// TestDeliveriesAreAsObserved plays each behaviour of a subscriber, and compares requests, dead letters with their
// attributes, credentials and replies. Waits are cut to a millisecond, except for none.
func TestDeliveriesAreAsObserved(t *testing.T) {
	s, o := newStage(t), observed(t)
	for _, want := range o.Deliveries {
		t.Run(want.Case, func(t *testing.T) { play(t, s, &want) })
	}
	if len(o.Deliveries) < 70 {
		t.Errorf("only %d deliveries", len(o.Deliveries))
	}
	compareReplies(t, o.Replies, s.replies)
}

func play(t *testing.T, s *stage, want *observedDelivery) {
	subscriber, sink := newActor(t, want.Subscriber, want.Policy.Timeout), newActor(t, want.DeadLetter, want.Policy.Timeout)
	subscription := Subscription{
		Name: "default/t", Topic: topic, Subscriber: subscriber.server.URL + "/sub",
		Policy: triggers.Policy{
			Retries: want.Policy.Retry, BackoffPolicy: want.Policy.BackoffPolicy, Timeout: time.Minute,
			BackoffDelay: min(time.Duration(want.Policy.BackoffDelay), 1) * time.Millisecond,
		},
	}
	if slices.ContainsFunc(want.Subscriber, subscriber.late) {
		subscription.Policy.Timeout = 2 * time.Second
	}
	dest := subscription.Subscriber
	if target := want.SubscriberURL; target != nil && *target == "USERINFO" {
		subscription.Subscriber = strings.Replace(dest, "http://", "http://user:pa%20ss@", 1)
	} else if target != nil {
		subscription.Subscriber, dest = *target, *target
	}
	switch {
	case want.Case == "d-dls-refused": // nobody listened there
		subscription.DeadLetter = "http://127.0.0.1:1/"
	case want.Policy.DLS:
		subscription.DeadLetter = sink.server.URL
	}
	for i := range want.Events {
		s.run(t, &subscription, binary(fmt.Sprintf("%s.%d", want.Case, i)))
	}
	got, letters := subscriber.got(), sink.got()
	if len(got) != want.Observed.Requests || len(letters) != want.Observed.DeadLetters {
		t.Fatalf("%d requests and %d dead letters, there %d and %d", len(got), len(letters), want.Observed.Requests, want.Observed.DeadLetters)
	}
	for _, header := range got {
		if a := header.Get("Authorization"); len(want.Observed.Authorization) != 1 || a != want.Observed.Authorization[0] {
			t.Errorf("authorization %q, there %q", a, want.Observed.Authorization)
		}
	}
	if len(letters) > 0 {
		compareLetter(t, want, dest, letters[0])
	}
}

func compareLetter(t *testing.T, want *observedDelivery, dest string, header http.Header) {
	t.Helper()
	got := asThere(t, header)
	for name := range asThere(t, header) {
		if attribute, ok := strings.CutPrefix(name, attributeHeader); !ok || ofBinary(attribute) {
			delete(got, name)
		}
	}
	attributes := want.Observed.Attributes
	credentials := strings.Contains(attributes["ce-knativeerrordest"], "user:")
	if credentials != slices.Contains(withCredentials, want.Case) {
		t.Errorf("credentials in the dead letter there: %v", credentials)
	}
	attributes["ce-knativeerrordest"] = dest // the subscriber had another address there
	for name, value := range attributes {    // what is long was noted by its length
		if n, ok := strings.CutSuffix(value, " characters"); ok && strconv.Itoa(len(got[name])) == n {
			attributes[name] = got[name]
		}
	}
	if diff := cmp.Diff(attributes, got); diff != "" {
		t.Error(diff)
	}
}

// ofBinary tells whether an event that binary makes has an attribute when it is delivered.
func ofBinary(name string) bool {
	if name == "specversion" || name == extensionPartition || name == extensionOffset {
		return true
	}
	return slices.ContainsFunc(binary("").Headers, func(h kgo.RecordHeader) bool { return h.Key == "ce_"+name })
}

// compareReplies compares what was stored of the subscribers' answers. Here a reply has fairleadhops too.
func compareReplies(t *testing.T, want []observedRecord, got []*kgo.Record) {
	t.Helper()
	line := func(key any, headers map[string]string, value string) string {
		text, err := json.Marshal([]any{key, headers, value})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var there, here []string
	for _, r := range want {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h[0].(string)] = h[1].(string)
		}
		there = append(there, line(r.Key, headers, string(observedBytes(r.Value))))
	}
	for _, r := range got {
		headers := map[string]string{}
		for _, h := range r.Headers {
			if h.Key != "ce_"+extensionHops {
				headers[h.Key] = string(h.Value)
			}
		}
		var key any
		if r.Key != nil {
			key = string(r.Key)
		}
		here = append(here, line(key, headers, string(r.Value)))
	}
	slices.Sort(there)
	slices.Sort(here)
	if diff := cmp.Diff(there, here); diff != "" {
		t.Errorf("replies (-there +here):\n%s", diff)
	}
}
