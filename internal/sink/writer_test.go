package sink

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/numbered"
)

func TestEventArrives(t *testing.T) {
	var got http.Header
	r := newReceiver(t)
	r.answer = func(w http.ResponseWriter, q *http.Request, _ *cloudevents.Event) {
		got = q.Header
		w.WriteHeader(http.StatusAccepted)
	}
	c := configured(r.url())
	c.CEOverrides = `{"extensions":{"region":"Köln 1","sender":"overridden"}}`
	w := newWriter(t, c)
	if err := w.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := put(w, recordOf("dev 1", "id-1", []byte(`{"a":1}`))); err != nil {
		t.Fatal(err)
	}
	e := r.events()[0]
	if e.ID() != "id-1" || e.Type() != "io.drogue.event.v1" || string(e.Data()) != `{"a":1}` {
		t.Errorf("%s", e)
	}
	for name, want := range map[string]string{
		"Ce-Subject": "T%C3%BCr%201", "Ce-Device": "dev%201", "Ce-Application": "app", "Ce-Time": "2027-01-15T08:00:00Z", "Content-Type": "application/json",
		"Ce-Region": "K%C3%B6ln%201", "Ce-Sender": "overridden", "Ce-Source": "drogue://app/dev%25201", "Ce-Partitionkey": "app/dev%25201", "Authorization": "",
	} {
		if v := got.Values(name); strings.Join(v, ",") != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	f := func(want outcome.Outcome, status int, tries bool) {
		t.Helper()
		var attempts atomic.Int64
		c := configured(answers(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			attempts.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		c.DeliveryTimeout = time.Second
		err := put(newWriter(t, c), recordOf("dev", "1", nil))
		if outcome.Of(err) != want || attempts.Load() > 1 != tries {
			t.Errorf("%d: %v after %d attempts, want %v", status, err, attempts.Load(), want)
		}
	}
	f(outcome.Accepted, 200, false)
	f(outcome.Accepted, 202, false)
	f(outcome.Accepted, 204, false)
	f(outcome.TooLarge, 413, false)
	f(outcome.Rejected, 422, false)
	f(outcome.Unavailable, 302, false)
	f(outcome.Unavailable, 400, false)
	f(outcome.Unavailable, 401, false)
	f(outcome.Unavailable, 403, false)
	f(outcome.Unavailable, 405, false)
	f(outcome.Unavailable, 404, true)
	f(outcome.Unavailable, 409, true)
	f(outcome.Overloaded, 429, true)
	f(outcome.Unavailable, 500, true)
	f(outcome.Unavailable, 503, true)
}

// TestSilentSink is a sink that never answers; who waits for it waits no longer than the delivery timeout.
func TestSilentSink(t *testing.T) {
	c := configured(answers(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	c.DeliveryTimeout = time.Second
	w := newWriter(t, c)
	results := make(chan error, 3)
	for i := range cap(results) {
		w.Write(context.Background(), recordOf("dev", fmt.Sprint(i), nil), func(err error) { results <- err })
	}
	for range cap(results) {
		if err := <-results; outcome.Of(err) != outcome.Unavailable {
			t.Error(err)
		}
	}
	if n := w.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// TestNoEventOvertakesAnother has the time of an event end while the sink is taking it.
func TestNoEventOvertakesAnother(t *testing.T) {
	var deadline time.Time
	asked := 0
	sender, err := newSender(configured(answers(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		select {
		case <-time.After(time.Until(deadline) + time.Millisecond):
			w.WriteHeader(http.StatusAccepted)
		case <-r.Context().Done():
			t.Error("the request was given up")
		}
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.close()
	sender.least = time.Minute
	deadline = time.Now().Add(50 * time.Millisecond)
	record := recordOf("dev", "1", nil)
	if r, err := sender.post(t.Context(), deadline, record); err != nil || !r.ok() {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := sender.post(t.Context(), deadline, record); err == nil || asked != 1 {
		t.Errorf("%v after %d requests: one was begun after the deadline", err, asked)
	}
}

// TestOrder has a sink that fails now and then; the events of a device come one after the other, each once more until it is taken.
func TestOrder(t *testing.T) {
	var mu sync.Mutex
	under, failures := map[string]int{}, map[string]int{}
	r := newReceiver(t)
	r.answer = func(w http.ResponseWriter, _ *http.Request, e *cloudevents.Event) {
		device := fmt.Sprint(e.Extensions()["device"])
		mu.Lock()
		if under[device]++; under[device] > 1 {
			t.Errorf("two requests at once for %s", device)
		}
		failures[e.ID()]++
		failed := failures[e.ID()] == 1 && strings.HasSuffix(e.ID(), "3")
		mu.Unlock()
		defer func() { mu.Lock(); under[device]--; mu.Unlock() }()
		if failed {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	w := newWriter(t, configured(r.url()))
	const devices, each = 5, 20
	var order [devices][]int
	var all sync.WaitGroup
	for n := range each {
		for d := range devices {
			all.Add(1)
			w.Write(context.Background(), recordOf(fmt.Sprint("dev", d), fmt.Sprintf("%d-%d", d, n), nil), func(err error) {
				if err != nil {
					t.Error(err)
				}
				order[d] = append(order[d], n)
				all.Done()
			})
		}
	}
	all.Wait()
	seen := map[string]bool{}
	next := map[string]int{}
	for _, e := range r.events() {
		if seen[e.ID()] {
			continue
		}
		seen[e.ID()] = true
		device, number, _ := strings.Cut(e.ID(), "-")
		if number != fmt.Sprint(next[device]) {
			t.Errorf("%s of device %s comes in place of %d", number, device, next[device])
		}
		next[device]++
	}
	for d := range devices {
		for i, n := range order[d] {
			if i != n {
				t.Errorf("device %d is answered in the order %v", d, order[d])
				break
			}
		}
	}
}

func TestBounds(t *testing.T) {
	release := make(chan struct{})
	var under, most atomic.Int64
	c := configured(answers(t, func(http.ResponseWriter, *http.Request) {
		n := under.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-release
		under.Add(-1)
	}))
	c.MaxRecords, c.Concurrency = 5, 2
	w := newWriter(t, c)
	results := make(chan error, 10)
	for i := range c.MaxRecords {
		w.Write(context.Background(), recordOf(fmt.Sprint(i), "1", nil), func(err error) { results <- err })
	}
	if err := put(w, recordOf("more", "1", nil)); outcome.Of(err) != outcome.Overloaded {
		t.Errorf("beyond the number: %v", err)
	}
	close(release)
	for range c.MaxRecords {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n > int64(c.Concurrency) {
		t.Errorf("%d requests at once", n)
	}
	c.MaxBytes = 1 << 20
	if err := put(newWriter(t, c), recordOf("dev", "1", make([]byte, c.MaxBytes))); outcome.Of(err) != outcome.Overloaded {
		t.Errorf("beyond the bytes: %v", err)
	}
}

func TestCertificatesAndToken(t *testing.T) {
	var got atomic.Value
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Authorization")) }))
	defer server.Close()
	c := configured(server.URL)
	c.DeliveryTimeout = time.Second
	if err := put(newWriter(t, c), recordOf("dev", "1", nil)); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("a server that is not trusted: %v", err)
	}
	c.CACerts = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	c.TokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(c.TokenFile, []byte("t1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := put(newWriter(t, c), recordOf("dev", "1", nil)); err != nil || got.Load() != "Bearer t1" {
		t.Errorf("%v, %v", err, got.Load())
	}
}

func TestClose(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	w := newWriter(t, configured(answers(t, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	})))
	answer := make(chan error, 1)
	w.Write(context.Background(), recordOf("dev", "1", nil), func(err error) { answer <- err })
	<-arrived
	closed := make(chan error)
	go func() { closed <- w.Close(context.Background()) }()
	neighbour.Eventually(t, "the writer to take nothing more", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.closed
	})
	if err := put(w, recordOf("dev", "2", nil)); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("after the end: %v", err)
	}
	close(release)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("what was on its way: %v", err)
	}
}

// TestNothingIsLost kills the sink again and again while numbered messages are sent: what was acknowledged is there, in order for each
// device. What is sent again has the same id, by which a sink knows it.
func TestNothingIsLost(t *testing.T) {
	r := newReceiver(t)
	var hold atomic.Pointer[chan struct{}] // requests wait for it, so that a kill finds some without an answer
	var held atomic.Int64
	r.answer = func(w http.ResponseWriter, _ *http.Request, _ *cloudevents.Event) {
		if wait := hold.Load(); wait != nil {
			held.Add(1)
			<-*wait
		}
		w.WriteHeader(http.StatusAccepted)
	}
	w := newWriter(t, configured(r.url()))
	checker := numbered.New()
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for d := range 20 {
		sending.Go(func() {
			for ctx.Err() == nil {
				var batch sync.WaitGroup
				for range 10 { // at once, as MQTT has them
					m := checker.Next(fmt.Sprint("dev", d))
					batch.Add(1)
					w.Write(ctx, recordOf(m.Device, fmt.Sprintf("%s-%d", m.Device, m.Number), m.Body()), func(err error) {
						checker.Answered(m, answerOf(err))
						batch.Done()
					})
				}
				batch.Wait()
			}
		})
	}
	for round := range 10 {
		before := checker.Counts().Acknowledged
		neighbour.Eventually(t, "messages between two kills", func() bool { return checker.Counts().Acknowledged >= before+200 })
		held.Store(0)
		wait := make(chan struct{})
		hold.Store(&wait)
		neighbour.Eventually(t, "requests under way", func() bool { return held.Load() > 0 })
		r.kill()
		hold.Store(nil)
		close(wait)
		if round%2 == 0 {
			neighbour.Eventually(t, "failures", func() bool { return w.waiting() > 100 })
		}
		r.start(t)
	}
	stop()
	sending.Wait()

	var stored []numbered.Stored
	seen := map[string]bool{}
	twice := 0
	for _, e := range r.events() {
		if seen[e.ID()] {
			twice++
			continue
		}
		seen[e.ID()] = true
		m, err := numbered.ParseMessage(e.Data())
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, numbered.Stored{Message: m})
	}
	counts := checker.Counts()
	t.Logf("%+v, %d events came twice", counts, twice)
	if faults := checker.Verify(stored); len(faults) > 0 {
		t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	if twice == 0 {
		t.Error("no kill has found a request without an answer")
	}
}

func answerOf(err error) numbered.Answer {
	if err == nil {
		return numbered.Acknowledged
	}
	return numbered.Unknown
}
