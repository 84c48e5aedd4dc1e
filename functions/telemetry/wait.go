package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Headers of an answer with a command.
const (
	headerCommand     = "Command"             // its name
	headerCorrelation = "Command-Correlation" // what the device repeats in its answer, if somebody waits for one
)

// publishAndWait publishes a message and answers: at once, or, if the device waits, when a command has come, when the time is over, when
// the client is gone, when the device's admission is taken back, or when the server shuts down. It listens before it publishes, so that
// no command is missed. A message is worth more than a command: what stands in the way of listening does not refuse it.
func (h *Handler) publishAndWait(w http.ResponseWriter, call *endpoint.Call, session *auth.Session, m ingest.Message, d time.Duration) {
	poll, leave := h.poll(w, call.Request(), session, d)
	defer leave()
	result := call.Publish(session, m)
	if poll == nil {
		call.Answer(result)
		return
	}
	if !result.Outcome.Good() {
		poll.Close()
		call.Answer(result)
		return
	}
	c, ok := poll.Wait(call.Request().Context(), d, session.Revoked, h.waiting.Closing())
	runtime.KeepAlive(session) // Revoked works as long as the session is held
	if !ok {
		call.Answer(result)
		return
	}
	writeCommand(w, &c)
}

// poll begins to listen for the device of a session; it is nil if the device does not wait, every place is taken, or Redis is away.
func (h *Handler) poll(w http.ResponseWriter, r *http.Request, session *auth.Session, d time.Duration) (poll *command.Poll, leave func()) {
	if d <= 0 {
		return nil, func() {}
	}
	leave, ok := h.waiting.Enter(w, d)
	if !ok {
		return nil, func() {}
	}
	poll, err := h.commands.Poll(r.Context(), command.For(
		session.Application.Metadata.Name, session.Device.Metadata.Name, session.Target().Metadata.Name, refusal.HTTP))
	if err != nil {
		return nil, leave
	}
	return poll, leave
}

// writeCommand answers with a command. Without a content type of its own it has none: nobody shall guess one.
func writeCommand(w http.ResponseWriter, c *command.Command) {
	header := w.Header()
	header["Content-Type"] = nil
	if c.ContentType != "" {
		header.Set("Content-Type", c.ContentType)
	}
	header.Set(headerCommand, c.Name)
	if c.Respond {
		header.Set(headerCorrelation, c.Correlation)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(c.Payload)
}
