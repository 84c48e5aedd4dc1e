package registryfn

import (
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// pingType is the type of the events of a Knative PingSource.
	pingType = "dev.knative.sources.ping"
	// pingTimeout bounds how long a ping waits for what is told.
	pingTimeout = 5 * time.Second
	pingPause   = 100 * time.Millisecond
)

// untold is for a ping after which changes still wait.
var untold = &refusal{status: http.StatusServiceUnavailable, document: outcome.Document{Error: "Unavailable", Message: "Changes wait to be told; Redis or Kafka cannot be reached"}, retry: true}

// ping tells the changes that earlier processes have left, and answers when none is left. A PingSource wakes the registry with it
// from time to time, so that no instance has to stay. Anybody may send it: it does what a running registry does anyway, and while
// one ping is served others are not.
func (h *Handler) ping(c *call) error {
	if c.r.Header.Get("Ce-Type") != pingType {
		return badRequest("only events of type " + pingType + " are taken here")
	}
	if !h.pinged.TryLock() {
		return c.respond(http.StatusNoContent)
	}
	defer h.pinged.Unlock()
	waiting := 1
	for deadline := time.Now().Add(pingTimeout); waiting > 0 && time.Now().Before(deadline); {
		h.Changes.Drain(c.ctx())
		left, err := h.Store.Waiting(c.ctx(), 1)
		if err != nil {
			return databaseAway(err)
		}
		if waiting = left; waiting > 0 && !backoff.Wait(c.ctx(), pingPause) {
			break
		}
	}
	if waiting > 0 {
		return untold
	}
	return c.respond(http.StatusNoContent)
}
