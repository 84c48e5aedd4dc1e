package ttn

import (
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A Config bounds what a request may take.
type Config struct {
	AuthTimeout time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; The Things Stack by default gives up on a webhook after 5s"`
	MaxWebhook  int           `doc:"largest webhook in bytes, which may be larger than what is stored of it; never smaller than the largest body of a message"`
}

// DefaultConfig answers within the time that The Things Stack waits.
func DefaultConfig() Config { return Config{AuthTimeout: 4 * time.Second, MaxWebhook: 256 << 10} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > 15*time.Second {
		return errors.New("authTimeout: must lie between 100ms and 15s")
	}
	if c.MaxWebhook < 1 || c.MaxWebhook > 4<<20 {
		return errors.New("maxWebhook: must lie between 1 and 4194304")
	}
	return nil
}

// A Handler serves the webhooks.
type Handler struct {
	config    Config
	devices   auth.Authenticator
	pipeline  *ingest.Pipeline
	downlinks Downlinks // nil: they are not kept
	metrics   *webhookMetrics
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler that admits the network as a gateway and publishes what it says in its devices' names.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline) *Handler {
	return &Handler{config: c, devices: devices, pipeline: pipeline, metrics: newWebhookMetrics()}
}

// ServeHTTP routes: POST /ttn/v3, /ttn/v2 and /ttn/, which is v2 too.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := endpoint.Begin(w, r, refusal.TTN, h.pipeline)
	defer call.End()
	stack, ok := stackOf(r.URL.Path)
	switch {
	case !ok:
		call.Refuse(http.StatusNotFound, "webhooks post to /ttn/v3, or /ttn/v2 for version 2")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		call.Refuse(http.StatusMethodNotAllowed, "webhooks use POST")
	default:
		h.receive(w, call, stack)
	}
}

// A stack is a generation of the network's servers.
type stack struct {
	name   string // metric label
	decode func(body []byte) (*Upstream, error)
}

// stackOf finds the stack that calls a path. A slash at the end is what the stack makes of the event path "/".
func stackOf(path string) (stack, bool) {
	switch path {
	case "/ttn/v3", "/ttn/v3/":
		return stack{"v3", DecodeV3}, true
	case "/ttn/", "/ttn/v2", "/ttn/v2/":
		return stack{"v2", DecodeV2}, true
	default:
		return stack{}, false
	}
}

// receive takes one webhook. The body comes before the log-in, because only the body tells for whom the network speaks. It
// may be larger than what is stored, since the network adds to each frame what every gateway and its own servers know of it;
// the pipeline judges what is stored.
func (h *Handler) receive(w http.ResponseWriter, call *endpoint.Call, s stack) {
	r := call.Request()
	q, err := endpoint.ParseQuery(r.URL.RawQuery)
	if err != nil {
		call.Answer(outcome.ResultOf(err))
		return
	}
	body, err := endpoint.ReadBody(w, r, max(h.config.MaxWebhook, h.pipeline.MaxBody()))
	if err != nil {
		call.Answer(outcome.ResultOf(err))
		return
	}
	upstream, err := s.decode(body)
	if err != nil {
		h.refuse(call, s, err)
		return
	}
	h.metrics.countRead(s, upstream.Kind)
	q.As = upstream.Device
	session, err := call.Admit(q, h.devices, h.config.AuthTimeout)
	if err != nil {
		call.AnswerLogin(err)
		return
	}
	kept := h.keepDownlink(r, session)
	result := call.Publish(session, upstream.message(session.Target(), q.DataSchema, body))
	kept()
	call.Answer(result)
}

// refuse answers a body that was not taken.
func (h *Handler) refuse(call *endpoint.Call, s stack, err error) {
	var bad *Refusal
	if !errors.As(err, &bad) {
		call.Answer(outcome.ResultOf(err))
		return
	}
	h.metrics.countRefused(s, bad)
	call.AnswerWith(http.StatusBadRequest, bad.document())
}
