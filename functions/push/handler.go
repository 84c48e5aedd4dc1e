package push

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/delivery"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// Applications have the registry's documents with their secrets. *cache.Cache does.
type Applications interface {
	Application(ctx context.Context, alias string) (*registry.Application, error)
}

// Callers find out who delivers. *user.Authenticator does.
type Callers interface {
	Authenticate(r *http.Request) (*user.Identity, error)
}

// A Handler serves Triggers.
type Handler struct {
	config       Config
	applications Applications
	client       *outbound.Client
	callers      Callers // nil: everybody may deliver who can reach the function
	log          *zap.Logger
	metrics      *metrics
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler. log may be nil.
func New(c Config, applications Applications, client *outbound.Client, log *zap.Logger) *Handler {
	return &Handler{config: c, applications: applications, client: client, log: refusal.Sampled(log).Named("push"), metrics: newMetrics()}
}

// AdmitServices lets only services deliver that show who they are, such as Triggers with their OIDC tokens. It is for before the
// first request.
func (h *Handler) AdmitServices(callers Callers) { h.callers = callers }

// ServeHTTP delivers the event of a POST to /{application}.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, span := endpoint.Trace(r, "push")
	defer span.End()
	application := strings.TrimPrefix(r.URL.Path, "/")
	a := h.serve(w, r, application)
	h.metrics.answered(r.Context(), a.result)
	if a.reason != "" {
		h.log.Warn("an event was not delivered", zap.String("application", shortened(application)), zap.Int("status", a.status), zap.String("reason", a.reason))
	}
	a.write(w)
}

// shortened bounds what a log line holds of a path.
func shortened(application string) string { return application[:min(len(application), 253)] }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, application string) answer {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return answer{status: http.StatusMethodNotAllowed, result: "bad_request", reason: "Triggers deliver with POST"}
	}
	if registry.ValidateApplicationName(application) != nil {
		return answer{status: http.StatusBadRequest, result: "bad_request", reason: "Triggers deliver to /{application}"}
	}
	if a, ok := h.admit(r); !ok {
		return a
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(h.config.MaxBody)))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return answer{status: http.StatusRequestEntityTooLarge, result: "too_large", reason: "the event is too large"}
	}
	if err != nil {
		return unavailable("the event did not arrive whole")
	}
	m, err := delivery.Read(r.Header, body)
	if err != nil {
		return answer{status: http.StatusBadRequest, result: "not_an_event", reason: err.Error()}
	}
	return h.deliver(r.Context(), application, m)
}

// admit tells whether the caller may deliver, else how that is answered.
func (h *Handler) admit(r *http.Request) (answer, bool) {
	if h.callers == nil {
		return answer{}, true
	}
	if _, ok := header.Scheme(r.Header.Get(header.Authorization), "Bearer"); !ok {
		return answer{status: http.StatusUnauthorized, result: "unauthenticated", reason: "the request has no token"}, false
	}
	caller, err := h.callers.Authenticate(r)
	switch o := outcome.Of(err); {
	case err == nil && caller.Service:
		return answer{}, true
	case err != nil && (o == outcome.Unavailable || o == outcome.Overloaded):
		return unavailable("who delivers cannot be found out"), false
	}
	return answer{status: http.StatusForbidden, result: "unauthenticated", reason: "the request's token does not let it deliver"}, false
}

func (h *Handler) deliver(ctx context.Context, application string, m delivery.Message) answer {
	document, err := h.applications.Application(ctx, application)
	switch {
	case errors.Is(err, registry.ErrNotFound), err == nil && (document.Metadata.Name != application || document.Metadata.Deleting()):
		return nowhere(errors.New("there is no such application"))
	case err != nil:
		return unavailable("the registry cannot be reached")
	}
	to, err := document.PushEndpoint()
	switch {
	case errors.Is(err, registry.ErrNoPush):
		return nowhere(err)
	case err != nil:
		return unusable(err)
	}
	response, err := h.client.Send(ctx, outbound.Call{Owner: document.Metadata.UID + "/" + application, Endpoint: to, Header: m.Header, Body: m.Body})
	if err != nil {
		return silent(err)
	}
	return responded(response, to)
}
