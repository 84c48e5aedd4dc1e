package telemetry

import (
	"context"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/refusal"
)

// headerCommand is the name of a command in an answer.
const headerCommand = "Command"

// publishAndWait publishes a message and answers: at once, or, if the device waits, when a command has come, when the time is over, when
// the client is gone, when the device is not admitted any more, or when the server shuts down. It listens before it publishes, so that
// no command is missed. A message is worth more than a command: what stands in the way of listening does not refuse it.
func (h *Handler) publishAndWait(w http.ResponseWriter, call *endpoint.Call, session *auth.Session, m ingest.Message, d time.Duration) {
	poll, ctx, leave := h.poll(w, call.Request(), session, d)
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
	waits := &admission{session: session, request: call.Renewal(), readmission: h.readmission}
	c, ok := poll.Wait(ctx, d, waits, h.waiting.Closing())
	if !ok {
		call.Answer(result)
		return
	}
	writeCommand(w, &c)
}

// poll begins to listen for the device of a session; it is nil if the device does not wait, every place is taken, or Redis is away.
// The context ends when the device has to give way.
func (h *Handler) poll(w http.ResponseWriter, r *http.Request, session *auth.Session, d time.Duration) (poll *command.Poll, ctx context.Context, leave func()) {
	if d <= 0 {
		return nil, nil, func() {}
	}
	application, device := session.Application.Metadata.Name, session.Device.Metadata.Name
	ctx, leave, ok := h.waiting.Enter(w, r, d, application, device)
	if !ok {
		return nil, nil, func() {}
	}
	poll, err := h.commands.Poll(ctx, command.For(application, device, session.Target().Metadata.Name, refusal.HTTP))
	if err != nil {
		return nil, nil, leave
	}
	return poll, ctx, leave
}

// An admission is what a request that waits rests on. Revoked works as long as the session is held.
type admission struct {
	session     *auth.Session
	request     auth.Request // to ask again with
	readmission *auth.Readmission
}

func (a *admission) Revoked() <-chan struct{} { return a.session.Revoked }

// Renew asks again whether the device may have commands.
func (a *admission) Renew(ctx context.Context) bool {
	session, err := a.readmission.Ask(ctx, a.session, a.request)
	if err != nil {
		return false
	}
	a.session = session
	return true
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
		header.Set(command.HeaderCorrelation, c.Correlation)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(c.Payload)
}
