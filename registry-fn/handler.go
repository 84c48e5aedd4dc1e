package registryfn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/crossorigin"
	report "github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// Users find out who sent a request. *user.Authenticator does. Errors are for user.WriteHTTP.
type Users interface {
	Authenticate(r *http.Request) (*user.Identity, error)
}

// Topics know which topics are there of applications that are gone. *topics.Topics does.
type Topics interface {
	Leftover(ctx context.Context, application string) (bool, error)
}

// Parts are what a handler works with.
type Parts struct {
	Store     *store.Store
	Users     Users
	Directory user.Directory
	Tokens    *user.Tokens
	Changes   *changes.Relay
	Topics    Topics      // may be nil
	Log       *zap.Logger // may be nil
	Refusals  *report.Log // of log-ins and of what callers may not do; may be nil
}

// A Handler serves the API.
type Handler struct {
	Parts
	config    Config
	routes    router
	endpoints endpoints
	metrics   *metrics
	pinged    sync.Mutex // held while a ping is served
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler. Its configuration must be valid.
func New(c Config, p Parts) *Handler {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	return &Handler{Parts: p, config: c, routes: newRouter(routes()), endpoints: newEndpoints(&c.Endpoints), metrics: newMetrics()}
}

// A call is one request on its way.
type call struct {
	w          http.ResponseWriter
	r          *http.Request
	caller     *user.Identity     // anonymous where the route is open
	parameters []string           // of the path
	status     int                // that was answered with
	twice      []registry.Problem // members of the body that stand twice
	problems   []registry.Problem // of the document
}

// ServeHTTP finds the operation, then the caller, and answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pages := crossorigin.Policy{
		Origins: h.config.Origins, Methods: "GET, HEAD, POST, PUT, PATCH, DELETE", Headers: "Authorization, Content-Type",
		Exposed: "Location, Retry-After, Warning",
	}
	if pages.Answer(w, r) {
		return
	}
	started := time.Now()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store") // answers hold credentials of devices
	c := &call{w: w, r: r, caller: &user.Identity{}}
	route, parameters, methods := h.routes.find(r.Method, r.URL.EscapedPath())
	if route == nil {
		h.refuse(c, unrouted(w, methods))
		h.metrics.answered("unknown", c.status, started)
		return
	}
	c.parameters = parameters
	if err := h.serve(c, route); err != nil {
		h.refuse(c, err)
	}
	h.metrics.answered(route.operation, c.status, started)
}

func unrouted(w http.ResponseWriter, methods []string) error {
	if len(methods) == 0 {
		return nothingThere
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return &refusal{status: http.StatusMethodNotAllowed}
}

func (h *Handler) serve(c *call, route *route) error {
	timeout := h.config.Timeout
	if route.list {
		timeout = h.config.ListTimeout
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), timeout)
	defer cancel()
	c.r = c.r.WithContext(ctx)
	if !route.open {
		caller, err := h.Users.Authenticate(c.r)
		if err != nil {
			return unauthenticated(err)
		}
		c.caller = caller
	}
	return route.run(h, c)
}

func (c *call) ctx() context.Context { return c.r.Context() }

// respond sends an answer without a body.
func (c *call) respond(status int) error {
	c.status = status
	c.writeWarnings()
	c.w.WriteHeader(status)
	return nil
}

// answer sends a value as JSON, with 200.
func (c *call) answer(value any) error {
	body, err := encode(value)
	if err != nil {
		return err
	}
	c.status = http.StatusOK
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = c.w.Write(body)
	return nil
}

// encode writes JSON as it was written, without escapes for HTML.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
