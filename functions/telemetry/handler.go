package telemetry

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A Config bounds what a request may take.
type Config struct {
	AuthTimeout time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; it leaves room for a cold start of the authentication function"`
	MaxWait     time.Duration `doc:"longest time that a request waits for a command, whatever its ct says"`
	MaxWaiting  int           `doc:"number of requests that wait for a command at once; beyond, the application and the device that have the most give way, or the request is answered without waiting"`
}

// DefaultConfig has the values of the wire contract.
func DefaultConfig() Config {
	return Config{AuthTimeout: 8 * time.Second, MaxWait: 60 * time.Second, MaxWaiting: 10_000}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > 15*time.Second:
		return errors.New("authTimeout: must lie between 100ms and 15s")
	case c.MaxWait < 0 || c.MaxWait > 60*time.Second:
		return errors.New("maxWait: must lie between 0s and 60s")
	case c.MaxWaiting < 0:
		return errors.New("maxWaiting: must not be negative")
	}
	return nil
}

// A Handler serves the endpoint.
type Handler struct {
	config   Config
	devices  auth.Authenticator
	pipeline *ingest.Pipeline
	commands *command.Hub
	waiting  *endpoint.WaitingRoom

	readmission *auth.Readmission
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler that admits devices, publishes their messages, and hands them the commands that they wait for.
func New(c Config, devices auth.Authenticator, pipeline *ingest.Pipeline, commands *command.Hub) *Handler {
	return &Handler{
		config: c, devices: devices, pipeline: pipeline, commands: commands, waiting: endpoint.NewWaitingRoom(c.MaxWaiting),
		readmission: auth.NewReadmission(devices, c.AuthTimeout, c.MaxWait),
	}
}

// ServeHTTP routes: GET / says that the endpoint is there, POST /v1/{channel} and /v1/{channel}/{suffix} publish.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := endpoint.Begin(w, r, refusal.HTTP, h.pipeline)
	defer call.End()
	path := r.URL.EscapedPath()
	if path == "/" || path == "" {
		root(w, r, call)
		return
	}
	channel, ok := channelOf(path)
	switch {
	case !ok:
		call.Refuse(http.StatusNotFound, "devices post to /v1/{channel}")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		call.Refuse(http.StatusMethodNotAllowed, "devices publish with POST")
	default:
		h.publish(w, call, channel)
	}
}

func root(w http.ResponseWriter, r *http.Request, call *endpoint.Call) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		call.Refuse(http.StatusMethodNotAllowed, "devices post to /v1/{channel}")
	}
}

// channelOf finds the channel in an escaped path: the one segment after /v1/, not decoded. What follows it is accepted
// and ignored.
func channelOf(path string) (escaped string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/v1/")
	if !ok {
		return "", false
	}
	escaped, _, _ = strings.Cut(rest, "/")
	return escaped, escaped != ""
}

// answers tells whether an escaped path is that of answers to commands.
func answers(path string) bool { return path == "/v1/"+command.ResponseChannel }

func (h *Handler) publish(w http.ResponseWriter, call *endpoint.Call, escaped string) {
	r := call.Request()
	h.waiting.Follow(r)
	channel, err := url.PathUnescape(escaped)
	if err != nil {
		call.Answer(outcome.Result{Outcome: outcome.Invalid, Reason: "the channel is not percent-encoded text"})
		return
	}
	q, err := endpoint.ParseQuery(r.URL.RawQuery)
	if err != nil {
		call.Answer(outcome.ResultOf(err))
		return
	}
	session, err := call.Admit(q, h.devices, h.config.AuthTimeout)
	if err != nil {
		call.AnswerLogin(err)
		return
	}
	body, err := endpoint.ReadBody(w, r, h.pipeline.MaxBody())
	if err != nil {
		call.Answer(outcome.ResultOf(err))
		return
	}
	if q.Correlation != "" {
		if !answers(r.URL.EscapedPath()) {
			call.Answer(outcome.Result{Outcome: outcome.Invalid, Reason: "answers to commands are posted to /v1/" + command.ResponseChannel})
			return
		}
		channel = command.ResponseChannel
	}
	contentType, ok := header.Single(r.Header, header.ContentType)
	if !ok {
		call.Answer(outcome.Result{Outcome: outcome.Invalid, Reason: "the request has more than one Content-Type"})
		return
	}
	m := ingest.Message{Channel: channel, ContentType: contentType, DataSchema: q.DataSchema, Body: body, Correlation: q.Correlation}
	h.publishAndWait(w, call, session, m, min(q.Wait, h.config.MaxWait))
}
