package command

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/crossorigin"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

// Base begins the paths of the API.
const Base = "/api/command/v1alpha1"

// Users find out who sent a request. *user.Authenticator does. Errors are for user.WriteHTTP.
type Users interface {
	Authenticate(r *http.Request) (*user.Identity, error)
}

// Tenants know who may use an application. *store.Store does.
type Tenants interface {
	Tenant(ctx context.Context, application string) (*store.Tenant, error)
}

// Parts are what a handler works with.
type Parts struct {
	Users     Users
	Tenants   Tenants
	Documents Documents
	Router    *commands.Router
	External  External     // may be nil
	Log       *zap.Logger  // gets a line for each command; may be nil
	Refusals  *refusal.Log // of log-ins and of what callers may not do; may be nil
}

// A Handler serves the API and takes events.
type Handler struct {
	config   Config
	users    Users
	tenants  Tenants
	sender   sender
	waiting  *endpoint.WaitingRoom
	log      *zap.Logger
	refusals *refusal.Log
	metrics  *metrics
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler.
func New(c Config, p Parts) *Handler {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	return &Handler{
		config: c, users: p.Users, tenants: p.Tenants, sender: sender{documents: p.Documents, router: p.Router, external: p.External},
		waiting: endpoint.NewWaitingRoom(c.MaxWaiting), log: p.Log.Named("command"), refusals: p.Refusals, metrics: newMetrics(),
	}
}

// A call is one request on its way.
type call struct {
	w         http.ResponseWriter
	r         *http.Request
	caller    *user.Identity
	ofTrigger bool
}

// ServeHTTP routes: GET / says that the API is there, POST to a device sends a command, POST to /{application} takes an event of a
// Trigger, and POST to the API's events one of an application.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, span := endpoint.Trace(r, "command")
	defer span.End()
	h.waiting.Follow(r)
	c := &call{w: w, r: r}
	path := r.URL.EscapedPath()
	application, device, ofDevice := deviceOf(path)
	pages := crossorigin.Policy{
		Origins: h.config.Origins, Methods: http.MethodPost, Headers: "Authorization, Content-Type", Exposed: commands.HeaderReached + ", Retry-After",
	}
	if strings.HasPrefix(path, Base) && pages.Answer(w, r) {
		return
	}
	switch {
	case path == "/":
		h.root(c)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case ofDevice:
		h.answer(c, h.command(c, application, device))
	case path == Base+"/events":
		h.answer(c, h.event(c, ""))
	case registry.ValidateApplicationName(strings.TrimPrefix(path, "/")) == nil:
		c.ofTrigger = true
		h.answer(c, h.event(c, strings.TrimPrefix(path, "/")))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *Handler) root(c *call) {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		c.w.Header().Set("Allow", "GET, HEAD")
		c.w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write([]byte(`{"success":true}`))
}

// deviceOf reads application and device from an escaped path. Their names may hold anything, a slash too, so that the path is taken
// apart before it is decoded.
func deviceOf(path string) (application, device string, ok bool) {
	rest, ok := strings.CutPrefix(path, Base+"/apps/")
	segments := strings.Split(rest, "/")
	if !ok || len(segments) != 3 || segments[1] != "devices" {
		return "", "", false
	}
	application, err := url.PathUnescape(segments[0])
	if err != nil {
		return "", "", false
	}
	device, err = url.PathUnescape(segments[2])
	return application, device, err == nil && application != "" && device != ""
}

// command sends the command of a request.
func (h *Handler) command(c *call, application, device string) (done sent) {
	done = sent{application: application, device: device}
	var err error
	if c.caller, err = h.users.Authenticate(c.r); err != nil {
		return done.failed(loginError{err})
	}
	if err = h.admit(c.r.Context(), c.caller, application); err != nil {
		return done.failed(err)
	}
	w := &request{application: application, device: device}
	if err = h.read(c, w); err != nil {
		return done.failed(err)
	}
	return h.send(c, w)
}

// read reads the query, the content type and the payload.
func (h *Handler) read(c *call, w *request) (err error) {
	query := c.r.URL.Query() // the authentication has found that it parses
	names := query["command"]
	if len(names) != 1 {
		return outcome.New(outcome.Invalid, "the query needs one parameter command, the name of the command")
	}
	w.name = names[0]
	if w.timeout, err = secondsOf(query, "timeout"); err != nil {
		return err
	}
	if w.wait, err = secondsOf(query, "wait"); err != nil {
		return err
	}
	var ok bool
	if w.contentType, ok = header.Single(c.r.Header, header.ContentType); !ok {
		return outcome.New(outcome.Invalid, "the request has more than one Content-Type")
	}
	w.payload, err = endpoint.ReadBody(c.w, c.r, h.config.MaxBody)
	return err
}

// secondsOf reads a parameter that is a number of seconds.
func secondsOf(query url.Values, name string) (time.Duration, error) {
	values := query[name]
	if len(values) == 0 {
		return 0, nil
	}
	seconds, err := strconv.ParseUint(values[0], 10, 16)
	if err != nil || len(values) > 1 {
		return 0, outcome.New(outcome.Invalid, name+" must be one whole number of seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

// send checks a command and hands it over, waiting for a listener if that is wanted.
func (h *Handler) send(c *call, w *request) sent {
	done := sent{application: w.application, device: w.device, name: w.name}
	if err := commands.ValidateName(w.name); err != nil {
		return done.failed(outcome.New(outcome.Invalid, err.Error()))
	}
	if err := event.ValidateContentType(w.contentType); w.contentType != "" && err != nil {
		return done.failed(outcome.New(outcome.Invalid, err.Error()))
	}
	ctx := c.r.Context()
	w.wait = min(w.wait, h.config.MaxTimeout)
	w.timeout = min(w.timeout, h.config.MaxTimeout-w.wait)
	if longest := w.timeout + w.wait; longest > 0 {
		entered, leave, ok := h.waiting.Enter(c.w, c.r, longest, w.application, w.device)
		if !ok {
			return done.failed(outcome.New(outcome.Overloaded, "too many requests wait for devices"))
		}
		defer leave()
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(entered)
		defer stop()
		go func() {
			select {
			case <-h.waiting.Closing():
				stop()
			case <-ctx.Done():
			}
		}()
	}
	var err error
	if done.result, err = h.sender.send(ctx, w); err != nil {
		return done.failed(err)
	}
	return done
}

// admit tells whether a caller may send commands to the devices of an application. Who may not is told what is told of an application
// that is not there.
func (h *Handler) admit(ctx context.Context, caller *user.Identity, application string) error {
	if caller.Anonymous() {
		return errHidden
	}
	needed := user.Write
	if h.config.Readers {
		needed = user.Read
	}
	tenant, err := h.tenants.Tenant(ctx, application)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return errHidden
	case err != nil:
		return unreachable(err)
	case !user.Decide(caller, accounts.Access(tenant), needed):
		return errHidden
	}
	return nil
}
