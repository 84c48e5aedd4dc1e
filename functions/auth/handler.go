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
	"github.com/fairlead/fairlead/internal/registry"
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
	Revisions() string
}

// operation reads a question, has it answered, and writes the answer or says that there is none.
func operation[T outcomes](h *Handler, answer func(context.Context, auth.WireRequest) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, err := read(w, r)
		if err != nil {
			outcome.WriteDocument(w, http.StatusBadRequest, outcome.Document{Error: "BadRequest", Message: err.Error()})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), h.config.Timeout)
		defer cancel()
		given, err := answer(ctx, question)
		if err != nil {
			undecided(w, err)
			return
		}
		write(w, given)
	})
}

func read(w http.ResponseWriter, r *http.Request) (question auth.WireRequest, err error) {
	body, err := endpoint.ReadBody(w, r, maxBody)
	if err != nil {
		return question, errors.New("the question is too large or incomplete")
	}
	if json.Unmarshal(body, &question) != nil || question.Application == "" || question.Device == "" {
		return question, errors.New("the question does not parse")
	}
	return question, nil
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

func write[T outcomes](w http.ResponseWriter, answer T) {
	body, err := json.Marshal(auth.WireAnswer[T]{Outcome: answer})
	if err != nil {
		outcome.WriteDocument(w, http.StatusInternalServerError, outcome.Document{Error: "InternalError", Message: "The answer cannot be written"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if revisions := answer.Revisions(); revisions != "" {
		w.Header().Set(auth.RevisionsHeader, revisions)
	}
	_, _ = w.Write(body)
}

// decided tells apart a decision to refuse and the lack of a decision, which stays an error.
func decided(err error) (pass bool, undecided error) {
	switch outcome.Of(err) {
	case outcome.Accepted:
		return true, nil
	case outcome.Unauthenticated, outcome.Forbidden:
		return false, nil
	default:
		return false, err
	}
}

func (h *Handler) authenticate(ctx context.Context, q auth.WireRequest) (auth.WireOutcome, error) {
	if q.Credential == nil {
		return auth.WireOutcome{}, nil
	}
	session, err := h.devices.Authenticate(ctx, auth.Request{
		Application: q.Application, Device: q.Device, Credential: q.Credential.Credential, As: q.As,
	})
	if pass, undecided := decided(err); !pass {
		return auth.WireOutcome{}, undecided
	}
	return auth.WireOutcome{Pass: &auth.WirePass{Application: session.Application, Device: session.Device, As: session.As}}, nil
}

func (h *Handler) keys(ctx context.Context, q auth.WireRequest) (auth.WireKeyOutcome, error) {
	key, err := h.devices.PreSharedKey(ctx, q.Application, q.Device)
	if found, undecided := decided(err); !found {
		return auth.WireKeyOutcome{}, undecided
	}
	return auth.WireKeyOutcome{Found: &auth.WireKey{
		Application: key.Application,
		Device:      key.Device,
		Key:         registry.PreSharedKey{Key: key.Secret, Validity: key.Validity},
	}}, nil
}

// authorizeAs takes the caller's word that the gateway is who it says, but not that it may still log in. The gateway is
// given by its registry name; an alias is refused.
func (h *Handler) authorizeAs(ctx context.Context, q auth.WireRequest) (auth.WireOutcome, error) {
	gateway, err := h.devices.Authenticate(ctx, auth.Request{Application: q.Application, Device: q.Device, Credential: auth.ProvenKey{}})
	if pass, undecided := decided(err); !pass {
		return auth.WireOutcome{}, undecided
	}
	if q.As == "" || gateway.Device.Metadata.Name != q.Device {
		return auth.WireOutcome{}, nil
	}
	device, err := h.devices.AuthorizeAs(ctx, gateway, q.As)
	if pass, undecided := decided(err); !pass {
		return auth.WireOutcome{}, undecided
	}
	return auth.WireOutcome{Pass: &auth.WirePass{As: device}}, nil
}
