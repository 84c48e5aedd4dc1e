//go:build integration

package e2e

import (
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// An inbox takes events over HTTP, and keeps them whatever becomes of its server.
type inbox struct {
	t              *testing.T
	address        string
	user, password string // that a request has to show; "" for nothing

	mu       sync.Mutex
	server   *http.Server
	status   int // in place of 202, without keeping the event; 0 for none
	refusals int // answers with status
	events   []cloudevents.Event
	problems []string
}

func newInbox(t *testing.T, user, password string) *inbox {
	t.Helper()
	b := &inbox{t: t, address: "127.0.0.1:0", user: user, password: password}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *inbox) url() string { return "http://" + b.address + "/in" }

// start begins to listen, after a kill at the same address.
func (b *inbox) start() {
	b.t.Helper()
	var listener net.Listener
	neighbour.Eventually(b.t, "the address of the inbox", func() bool {
		var err error
		listener, err = net.Listen("tcp", b.address)
		return err == nil
	})
	b.address = listener.Addr().String()
	server := &http.Server{Handler: b}
	b.mu.Lock()
	b.server = server
	b.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// kill cuts every connection.
func (b *inbox) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.server.Close()
}

// answer has the inbox answer with a status and keep nothing; 0 has it take everything again.
func (b *inbox) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// refused is how many requests were answered with the status of answer.
func (b *inbox) refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := binding.ToEvent(r.Context(), cehttp.NewMessageFromHttpRequest(r))
	b.mu.Lock()
	defer b.mu.Unlock()
	user, password, _ := r.BasicAuth()
	switch {
	case err != nil || e.Validate() != nil:
		b.problems = append(b.problems, "a request is no CloudEvent")
		w.WriteHeader(http.StatusBadRequest)
	case user != b.user || password != b.password:
		b.problems = append(b.problems, "a request has other credentials")
		w.WriteHeader(http.StatusUnauthorized)
	case b.status != 0:
		b.refusals++
		w.WriteHeader(b.status)
	default:
		b.events = append(b.events, *e)
		w.WriteHeader(http.StatusAccepted)
	}
}

// with gives the first event of a channel, once it is there.
func (b *inbox) with(subject string) (found cloudevents.Event) {
	b.t.Helper()
	neighbour.Eventually(b.t, "an event of the channel "+subject, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, e := range b.events {
			if e.Subject() == subject {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// loadChannel is that of numbered messages.
const loadChannel = "load"

// stored are the numbered messages in the order in which they came, without those that came again with the same id.
func (b *inbox) stored() (all []numbered.Stored, again int) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range b.events {
		if e.Subject() != loadChannel {
			continue
		}
		if seen[e.ID()] {
			again++
			continue
		}
		seen[e.ID()] = true
		m, err := numbered.ParseMessage(e.Data())
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, numbered.Stored{Message: m})
	}
	return all, again
}

// verify stops a load, waits until everything that was acknowledged is there, and compares.
func (b *inbox) verify(l *load) {
	b.t.Helper()
	l.stop()
	for _, problem := range l.problems {
		b.t.Error(problem)
	}
	b.compare(l.checker)
}

// compare waits until everything that was acknowledged is there, and compares that with what came.
func (b *inbox) compare(checker *numbered.Checker) {
	b.t.Helper()
	neighbour.Eventually(b.t, "everything that was acknowledged", func() bool {
		stored, _ := b.stored()
		for _, f := range checker.Verify(stored) {
			if f.Kind == numbered.Lost {
				return false
			}
		}
		return true
	})
	for _, problem := range b.problems {
		b.t.Error(problem)
	}
	stored, again := b.stored()
	if faults := checker.Verify(stored); len(faults) > 0 {
		b.t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	b.t.Logf("answers %+v; %d events, and %d that came again", checker.Counts(), len(stored), again)
}
