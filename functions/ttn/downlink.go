package ttn

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/downlink"
)

// keepWithin bounds by how much keeping a downlink address may delay the answer to a webhook.
const keepWithin = 250 * time.Millisecond

// Downlinks keep where the network takes downlinks for a device. *downlink.Store does.
type Downlinks interface {
	Keep(ctx context.Context, of downlink.Device, a downlink.Address) error
}

// KeepDownlinks has the handler keep what webhooks say of where downlinks go. It is for before the first request.
func (h *Handler) KeepDownlinks(d Downlinks) { h.downlinks = d }

// keepDownlink notes where downlinks for the device of an admitted webhook go, while its message is published. The result waits for the
// end of that. What goes wrong is counted, and costs nothing but downlinks.
func (h *Handler) keepDownlink(r *http.Request, session *auth.Session) (wait func()) {
	if h.downlinks == nil {
		return func() {}
	}
	address, err := downlink.FromHeaders(r.Header)
	if err != nil {
		if !errors.Is(err, downlink.ErrNoAddress) {
			h.metrics.countUnusable()
		}
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(r.Context(), keepWithin)
		defer cancel()
		of := downlink.Device{Application: session.Application.Metadata.UID, UID: session.Target().Metadata.UID}
		_ = h.downlinks.Keep(ctx, of, address) // which counts it
	}()
	return func() { <-done }
}
