package provision

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

const (
	// pingType is the type of the events of a PingSource.
	pingType = "dev.knative.sources.ping"
	// maxData bounds the data of an event, in bytes.
	maxData = 4096
	// statusPath begins the subjects of changes that only say what became of an application.
	statusPath = ".status"
)

// A Handler takes CloudEvents over HTTP in binary content mode, as Triggers and PingSources send them. It answers 204 when there is
// nothing left to do, which includes what can never be done, and 503 when the event should be sent again.
type Handler struct{ provisioner *Provisioner }

var _ http.Handler = (*Handler)(nil)

// NewHandler makes a handler.
func NewHandler(p *Provisioner) *Handler { return &Handler{p} }

// ServeHTTP takes one event.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch kind := r.Header.Get("Ce-Type"); {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case kind == "":
		http.Error(w, "a CloudEvent in binary content mode is needed", http.StatusBadRequest)
	case kind == pingType:
		h.sweep(w, r)
	case kind == event.TypeApplicationChange && !strings.HasPrefix(r.Header.Get("Ce-Subject"), statusPath):
		h.change(w, r)
	default:
		w.WriteHeader(http.StatusNoContent) // nothing to do
	}
}

func (h *Handler) change(w http.ResponseWriter, r *http.Request) {
	var data struct {
		UID string `json:"uid"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxData))
	if err != nil {
		http.Error(w, "the data of the event is too large or did not arrive", http.StatusBadRequest)
		return
	}
	name := r.Header.Get("Ce-Application")
	if registry.ValidateApplicationName(name) != nil || json.Unmarshal(body, &data) != nil {
		http.Error(w, "the event is not one of a change of an application", http.StatusBadRequest)
		return
	}
	err = h.provisioner.Reconcile(r.Context(), name, data.UID)
	h.answer(w, err, zap.String("application", name))
}

func (h *Handler) sweep(w http.ResponseWriter, r *http.Request) {
	looked, done, err := h.provisioner.Sweep(r.Context())
	h.provisioner.Log.Info("looked at applications", zap.Int("applications", looked), zap.Bool("all", done))
	h.answer(w, err)
}

func (h *Handler) answer(w http.ResponseWriter, err error, fields ...zap.Field) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.provisioner.Log.Warn("an event is to be sent again", append(fields, zap.Error(err))...)
	w.Header().Set("Retry-After", strconv.Itoa(outcome.RetryAfter))
	http.Error(w, "not all could be done; try again later", http.StatusServiceUnavailable)
}
