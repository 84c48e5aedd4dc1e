package receiver

import (
	"context"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// maxBody is the largest request in bytes: what Kafka takes as one record.
const maxBody = 1 << 20

// Handler calls show for every CloudEvent that is posted, in binary or structured mode and from several goroutines, and
// answers 202. Anything else is refused with a reason.
func Handler(show func(cloudevents.Event)) http.Handler {
	return Sink(func(_ context.Context, event cloudevents.Event) error {
		show(event)
		return nil
	})
}

// Sink is Handler for what may fail: then the answer is 503.
func Sink(take func(context.Context, cloudevents.Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "this receiver takes CloudEvents by POST", http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		event, err := binding.ToEvent(r.Context(), cehttp.NewMessageFromHttpRequest(r))
		if err != nil || event.Validate() != nil {
			http.Error(w, "not a CloudEvent of at most 1 MiB", http.StatusBadRequest)
			return
		}
		if err := take(r.Context(), *event); err != nil {
			http.Error(w, "the event could not be taken; try again later", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

// Server is an HTTP server with bounds that suit a receiver.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
