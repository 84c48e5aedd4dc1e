package auth

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A judge answers renewals: a device's by its name, as this or with the outcome that the name says.
type judge struct {
	client  *Client
	arrived chan int // sizes of questions, each before its answer
	answer  chan struct{}
	padding string // of each document in an answer

	mu        sync.Mutex
	questions []int
}

func newJudge(t *testing.T, padding int) *judge {
	t.Helper()
	j := &judge{arrived: make(chan int, 10_000), answer: make(chan struct{}), padding: strings.Repeat("x", padding)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { j.serve(t, w, r) }))
	t.Cleanup(server.Close)
	c := DefaultClientConfig()
	c.URL = server.URL
	j.client = NewClient(c)
	return j
}

func (j *judge) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRenewalsBody))
	var question WireRenewals
	if err != nil || r.URL.Path != PathRenewals || json.Unmarshal(text, &question) != nil || len(question.Requests) > MaxRenewals {
		t.Errorf("%s with %d requests of %d bytes: %v", r.URL.Path, len(question.Requests), len(text), err)
	}
	j.mu.Lock()
	j.questions = append(j.questions, len(question.Requests))
	j.mu.Unlock()
	j.arrived <- len(question.Requests)
	<-j.answer
	var all WireRenewed
	for _, q := range question.Requests {
		var err error
		switch {
		case strings.HasPrefix(q.Device, "refused"):
			err = refused()
		case strings.HasPrefix(q.Device, "away"):
			err = outcome.New(outcome.Unavailable, "")
		case strings.HasPrefix(q.Device, "busy"):
			err = overloaded("")
		}
		all.Answers = append(all.Answers, Renewed(&Session{
			Application: &registry.Application{Metadata: registry.Metadata{Name: q.Application}},
			Device:      &registry.Device{Metadata: registry.Metadata{Name: q.Device, Annotations: map[string]string{"padding": j.padding}}},
		}, err))
	}
	if !question.Requests[0].Renewal {
		t.Error("a renewal does not say that it is one")
	}
	_ = json.NewEncoder(w).Encode(all)
}

// renew begins renewals; wait waits for their answers and checks that each got its own.
func (j *judge) renew(t *testing.T, devices ...string) (wait func()) {
	t.Helper()
	var asking sync.WaitGroup
	for _, device := range devices {
		asking.Go(func() {
			s, err := j.client.Authenticate(t.Context(), Request{Application: "app", Device: device, Credential: Proof("proof of " + device), Renewal: true})
			want := outcome.Accepted
			for name, o := range map[string]outcome.Outcome{"refused": outcome.Unauthenticated, "away": outcome.Unavailable, "busy": outcome.Overloaded} {
				if strings.HasPrefix(device, name) {
					want = o
				}
			}
			if got := outcome.Of(err); got != want || (err == nil && s.Device.Metadata.Name != device) {
				t.Errorf("%s: %v, %v", device, got, err)
			}
		})
	}
	return asking.Wait
}

func names(kind string, count int) (all []string) {
	for i := range count {
		all = append(all, kind+strconv.Itoa(i))
	}
	return all
}

// gathered has batchSenders questions on their way, and more renewals wait.
func (j *judge) gathered(t *testing.T, devices ...string) (wait func()) {
	t.Helper()
	var waits []func()
	for _, first := range names("first", batchSenders) {
		waits = append(waits, j.renew(t, first))
		<-j.arrived
	}
	waits = append(waits, j.renew(t, devices...))
	for waiting := 0; waiting < len(devices); runtime.Gosched() {
		j.client.batches.mu.Lock()
		waiting = len(j.client.batches.queue)
		j.client.batches.mu.Unlock()
	}
	return func() {
		for _, wait := range waits {
			wait()
		}
	}
}

func TestRenewalsGoTogether(t *testing.T) {
	j := newJudge(t, 0)
	devices := append(append(append(names("d", 2*MaxRenewals), names("refused", 3)...), names("away", 3)...), names("busy", 3)...)
	wait := j.gathered(t, devices...)
	close(j.answer)
	wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	// The first went alone or few at a time; what gathered meanwhile fits into three questions.
	if got := len(j.questions); got > batchSenders+3 {
		t.Errorf("%d questions, of %v renewals", got, j.questions)
	}
	j.client.batches.mu.Lock()
	defer j.client.batches.mu.Unlock()
	if len(j.client.batches.queue) != 0 || j.client.batches.senders > batchSenders {
		t.Errorf("%d wait, %d senders", len(j.client.batches.queue), j.client.batches.senders)
	}
}

// Renewals whose question would be larger than the function reads go in several.
func TestRenewalsAreSplitBySize(t *testing.T) {
	j := newJudge(t, 0)
	close(j.answer)
	var long []string
	for i := range 200 {
		long = append(long, strconv.Itoa(i)+strings.Repeat("n", 8<<10))
	}
	j.renew(t, long...)()
	j.mu.Lock()
	defer j.mu.Unlock()
	total := 0
	for _, n := range j.questions {
		if total += n; n*8<<10 > MaxRenewalsBody {
			t.Errorf("%d renewals in one question", n)
		}
	}
	if total != len(long) {
		t.Errorf("%d renewals were asked, want %d", total, len(long))
	}
}

// An answer that is larger than a client reads is asked for in halves.
func TestRenewalsWithLargeAnswers(t *testing.T) {
	j := newJudge(t, 4<<10)
	j.client.mostAnswers = 100 << 10
	wait := j.gathered(t, names("large", 100)...)
	close(j.answer)
	wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	total := 0
	for _, n := range j.questions {
		total += n
	}
	if total <= 100+batchSenders {
		t.Errorf("nothing was asked twice: %v", j.questions)
	}
}

func TestRenewalsWithTooFewAnswers(t *testing.T) {
	client, _ := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"answers":[]}`) })
	_, err := client.Authenticate(t.Context(), Request{Application: "app", Device: "d", Credential: Proof("p"), Renewal: true})
	if o := outcome.Of(err); o == outcome.Accepted || o == outcome.Unauthenticated {
		t.Errorf("no answer is taken for %v", o)
	}
}

// Renewals are not kept from the function by questions that wait for a connection.
func TestRenewalsPassWhoWaits(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == PathRenewals {
			_, _ = io.WriteString(w, `{"answers":[{"outcome":"fail"}]}`)
			return
		}
		<-hold
		_, _ = io.WriteString(w, passed)
	}))
	defer server.Close()
	c := DefaultClientConfig()
	c.URL, c.Connections = server.URL, 4
	client := NewClient(c)
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() { _, _ = client.Authenticate(t.Context(), login("d"+strconv.Itoa(i), "x")) })
	}
	_, err := client.Authenticate(t.Context(), Request{Application: "app1", Device: "d", Credential: Proof("p"), Renewal: true})
	if o := outcome.Of(err); o != outcome.Unauthenticated {
		t.Errorf("%v", err)
	}
	close(hold)
	asking.Wait()
}

// One application never has more than its share of the connections, so that another's question goes at once.
func TestConnectionsAreShared(t *testing.T) {
	hold := make(chan struct{})
	inside := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q WireRequest
		_ = json.NewDecoder(r.Body).Decode(&q)
		if inside <- q.Application; q.Application == "crowd" {
			<-hold
		}
		_, _ = io.WriteString(w, passed)
	}))
	defer server.Close()
	c := DefaultClientConfig()
	c.URL, c.Connections = server.URL, 8
	client := NewClient(c)
	ask := func(application string) error {
		_, err := client.Authenticate(t.Context(), Request{Application: application, Device: "d", Credential: Password("p")})
		return err
	}
	var crowd sync.WaitGroup
	for range 20 {
		crowd.Go(func() { _ = ask("crowd") })
	}
	for range c.Connections / 4 {
		if got := <-inside; got != "crowd" {
			t.Fatal(got)
		}
	}
	if err := ask("quiet"); err != nil {
		t.Fatal(err)
	}
	if got := <-inside; got != "quiet" {
		t.Errorf("%s has more than its share", got)
	}
	close(hold)
	crowd.Wait()
}
