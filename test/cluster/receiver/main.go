// Command receiver is the Knative Service at which events end in a test of a cluster. It takes CloudEvents in binary mode and
// remembers them; GET /events gives those since the number in the query's `from`, as a list in JSON. With the query `delay`, a duration, it
// answers that much after it has taken an event.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// An Event is what came with one request.
type Event struct {
	ID, Type, Application, Device, Subject string
	User, Password                         string
	Data                                   string
}

// A box has everything that came.
type box struct {
	mu     sync.Mutex
	events []Event
}

func main() {
	b := &box{}
	http.HandleFunc("POST /", b.take)
	http.HandleFunc("GET /events", b.list)
	if err := http.ListenAndServe(":"+os.Getenv("PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const maxData = 1 << 20

func (b *box) take(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxData))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h := r.Header
	e := Event{ID: h.Get("Ce-Id"), Type: h.Get("Ce-Type"), Application: h.Get("Ce-Application"), Device: h.Get("Ce-Device"), Subject: h.Get("Ce-Subject"), Data: string(data)}
	e.User, e.Password, _ = r.BasicAuth()
	b.add(e)
	delay, _ := time.ParseDuration(r.URL.Query().Get("delay"))
	time.Sleep(delay)
	w.WriteHeader(http.StatusAccepted)
}

func (b *box) add(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *box) list(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = json.NewEncoder(w).Encode(b.events[min(max(from, 0), len(b.events)):])
}
