package authfn

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/user"
)

// A Config says who may ask and how long an answer may take.
type Config struct {
	Token   string        `doc:"bearer token that callers must present; without it, and without providers whose services may ask, everybody may who can reach the function" secret:"true"`
	Timeout time.Duration `doc:"duration after which a question without a decision is answered as unavailable"`
}

// DefaultConfig asks for no token.
func DefaultConfig() Config { return Config{Timeout: 10 * time.Second} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if c.Timeout < 100*time.Millisecond || c.Timeout > 25*time.Second {
		return errors.New("timeout: must lie between 100ms and 25s")
	}
	return nil
}

// maxBody bounds a question, in bytes. The longest chain that is accepted, 32 KiB, fits as arrays of numbers.
const maxBody = 192 << 10

// A Handler serves the API.
type Handler struct {
	config  Config
	token   [sha256.Size]byte
	callers Callers // nil: the token is all that is asked for
	devices auth.Authenticator
	mux     *http.ServeMux
}

// Callers find out who asks. *user.Authenticator does.
type Callers interface {
	Authenticate(r *http.Request) (*user.Identity, error)
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler that passes questions on to an authenticator.
func New(c Config, devices auth.Authenticator) *Handler {
	h := &Handler{config: c, token: sha256.Sum256([]byte(c.Token)), devices: devices, mux: http.NewServeMux()}
	h.mux.Handle("POST "+auth.PathAuthenticate, operation(h, h.authenticate))
	h.mux.Handle("POST "+auth.PathKeys, operation(h, h.keys))
	h.mux.Handle("POST "+auth.PathAuthorizeAs, operation(h, h.authorizeAs))
	h.mux.HandleFunc("POST "+auth.PathRenewals, h.renewals)
	return h
}

// AdmitServices lets services ask that show who they are, beside those that know the token, and nobody else. It is for
// before the first request.
func (h *Handler) AdmitServices(callers Callers) { h.callers = callers }

// ServeHTTP checks the caller's token and routes.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, single := header.Single(r.Header, header.Authorization); !single {
		outcome.WriteDocument(w, http.StatusForbidden, outcome.Document{Error: "AuthenticationError", Message: "Not authorized"})
		return
	}
	if (h.config.Token != "" || h.callers != nil) && !h.admitted(w, r) {
		return
	}
	r, span := endpoint.Trace(r, "authentication")
	defer span.End()
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) admitted(w http.ResponseWriter, r *http.Request) bool {
	token, ok := header.Scheme(r.Header.Get(header.Authorization), "Bearer")
	if !ok {
		outcome.WriteDocument(w, http.StatusUnauthorized, outcome.Document{Error: "AuthenticationError", Message: "Not authenticated"})
		return false
	}
	if h.knows(token) {
		return true
	}
	if h.callers != nil {
		caller, err := h.callers.Authenticate(r)
		if err == nil && caller.Service {
			return true
		}
		if o := outcome.Of(err); o == outcome.Unavailable || o == outcome.Overloaded {
			user.WriteHTTP(w, err)
			return false
		}
	}
	outcome.WriteDocument(w, http.StatusForbidden, outcome.Document{Error: "AuthenticationError", Message: "Not authorized"})
	return false
}

// knows compares digests, so that neither content nor length of the token shows in the time it takes.
func (h *Handler) knows(token string) bool {
	given := sha256.Sum256([]byte(token))
	return h.config.Token != "" && subtle.ConstantTimeCompare(given[:], h.token[:]) == 1
}

// outcomes are what questions are answered with.
type outcomes interface {
	auth.WireOutcome | auth.WireKeyOutcome
}

// operation reads a question, has it answered, and writes the answer or says that there is none.
func operation[T outcomes](h *Handler, answer func(context.Context, auth.WireRequest) (T, auth.Notes, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question auth.WireRequest
		if !read(w, r, maxBody, &question) {
			return
		}
		if !complete(question) {
			unread(w, errNoQuestion)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), h.config.Timeout)
		defer cancel()
		given, notes, err := answer(ctx, question)
		if err != nil {
			undecided(w, err)
			return
		}
		notes.Header(w.Header())
		write(w, auth.WireAnswer[T]{Outcome: given})
	})
}

var errNoQuestion = errors.New("the question does not parse")

// read reads a body into a question, or answers that it cannot.
func read(w http.ResponseWriter, r *http.Request, limit int, question any) bool {
	body, err := endpoint.ReadBody(w, r, limit)
	if err != nil {
		unread(w, errors.New("the question is too large or incomplete"))
		return false
	}
	if json.Unmarshal(body, question) != nil {
		unread(w, errNoQuestion)
		return false
	}
	return true
}

func complete(q auth.WireRequest) bool { return q.Application != "" && q.Device != "" }

func unread(w http.ResponseWriter, err error) {
	outcome.WriteDocument(w, http.StatusBadRequest, outcome.Document{Error: "BadRequest", Message: err.Error()})
}

// undecided says that there is no decision. Callers repeat a question after 503, but not after 429: what is overloaded
// is not helped by that.
func undecided(w http.ResponseWriter, err error) {
	if outcome.Of(err) == outcome.Overloaded {
		w.Header().Set("Retry-After", strconv.Itoa(outcome.RetryAfter))
		outcome.WriteDocument(w, http.StatusTooManyRequests, outcome.Document{Error: "Overloaded", Message: "Too many questions at once"})
		return
	}
	outcome.WriteDocument(w, http.StatusServiceUnavailable, outcome.Document{Error: "Unavailable", Message: "No decision can be had"})
}

func write(w http.ResponseWriter, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		outcome.WriteDocument(w, http.StatusInternalServerError, outcome.Document{Error: "InternalError", Message: "The answer cannot be written"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (h *Handler) authenticate(ctx context.Context, q auth.WireRequest) (auth.WireOutcome, auth.Notes, error) {
	if q.Credential == nil {
		return auth.WireOutcome{}, auth.Notes{}, nil
	}
	answer, err := auth.Answer(h.ask(ctx, q))
	return answer, answer.Notes, err
}

// ask asks for a decision as the caller would. A caller whose sender guesses gets nothing but what was verified before.
func (h *Handler) ask(ctx context.Context, q auth.WireRequest) (*auth.Session, error) {
	if q.Verified {
		ctx = auth.OnlyVerified(ctx)
	}
	return h.devices.Authenticate(ctx, auth.Request{
		Application: q.Application, Device: q.Device, Credential: q.Credential.Credential, As: q.As, Remote: q.Remote, Renewal: q.Renewal,
	})
}

func (h *Handler) keys(ctx context.Context, q auth.WireRequest) (auth.WireKeyOutcome, auth.Notes, error) {
	answer, err := auth.AnswerKey(h.devices.PreSharedKey(ctx, q.Application, q.Device))
	return answer, answer.Notes, err
}

// authorizeAs takes the caller's word that the gateway is who it says, but not that it may still log in. The gateway is
// given by its registry name; an alias is refused.
func (h *Handler) authorizeAs(ctx context.Context, q auth.WireRequest) (auth.WireOutcome, auth.Notes, error) {
	gateway, err := h.devices.Authenticate(ctx, auth.Request{Application: q.Application, Device: q.Device, Credential: auth.Vouched{}})
	if err != nil {
		answer, err := auth.Answer(nil, err)
		return answer, answer.Notes, err
	}
	if q.As == "" || gateway.Device.Metadata.Name != q.Device {
		return auth.WireOutcome{}, auth.Notes{}, nil
	}
	answer, err := auth.AnswerAs(h.devices.AuthorizeAs(ctx, gateway, q.As))
	return answer, answer.Notes, err
}
