package sink

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
)

// A receiver is a sink that reads events with the CloudEvents SDK, and keeps them whatever becomes of its server.
type receiver struct {
	address string
	answer  func(w http.ResponseWriter, r *http.Request, e *cloudevents.Event) // after the event is kept; nil for 202

	mu     sync.Mutex
	kept   []cloudevents.Event
	server *http.Server
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{address: "127.0.0.1:0"}
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

// start begins to listen, after a kill at the same address.
func (r *receiver) start(t *testing.T) {
	t.Helper()
	var listener net.Listener
	neighbour.Eventually(t, "the address of the receiver", func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", r.address)
		return err == nil
	})
	r.address = listener.Addr().String()
	server := &http.Server{Handler: r}
	r.mu.Lock()
	r.server = server
	r.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// kill cuts every connection, also of requests that are being answered.
func (r *receiver) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.server.Close()
}

func (r *receiver) url() string { return "http://" + r.address + "/" }

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	e, err := binding.ToEvent(request.Context(), cehttp.NewMessageFromHttpRequest(request))
	if err != nil || e.Validate() != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.kept = append(r.kept, *e)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, request, e)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (r *receiver) events() []cloudevents.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]cloudevents.Event(nil), r.kept...)
}

// configured is a configuration for a sink.
func configured(url string) Config {
	c := DefaultConfig()
	c.URL = url
	return c
}

func newWriter(t *testing.T, c Config) *Writer {
	t.Helper()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Close(ctx)
	})
	return w
}

// answers is a sink that keeps nothing.
func answers(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// recordOf is the record of an event of a device.
func recordOf(device, id string, data []byte) *kgo.Record {
	e := event.Event{
		ID: id, Type: "io.drogue.event.v1", Subject: "Tür 1", Time: time.Unix(1_800_000_000, 0), DataContentType: "application/json", Data: data,
		Origin: event.Origin{Instance: "drogue", Application: "app", ApplicationUID: "u1", Device: device, DeviceUID: "u2", Sender: device, SenderUID: "u2"},
	}
	return e.Record("events-app")
}

func put(w *Writer, record *kgo.Record) error {
	answer := make(chan error, 1)
	w.Write(context.Background(), record, func(err error) { answer <- err })
	return <-answer
}
