package telemetry

import (
	"net/http"
	"time"
)

// wait returns when the time is over, when the client is gone, when the device's admission is taken back, or when the
// server shuts down; at once if every place is taken.
func (h *Handler) wait(w http.ResponseWriter, r *http.Request, d time.Duration, revoked <-chan struct{}) {
	if d <= 0 {
		return
	}
	leave, ok := h.waiting.Enter(w, d)
	if !ok {
		return
	}
	defer leave()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-revoked:
	case <-h.waiting.Closing():
	}
}
