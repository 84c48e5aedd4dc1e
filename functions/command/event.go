package command

import (
	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/delivery"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
)

// errNoToken is for a caller who shows no credential where one is needed.
var errNoToken = outcome.New(outcome.Unauthenticated, "")

// event sends the command that an event is. The event of a Trigger is one of the application in its path, whatever it says: a subscriber
// has written it, who must not reach the devices of another application.
func (h *Handler) event(c *call, ofTrigger string) (done sent) {
	done = sent{application: ofTrigger}
	var err error
	if c.caller, err = h.users.Authenticate(c.r); err != nil {
		return done.failed(loginError{err})
	}
	open := c.caller.Anonymous() && ofTrigger != "" && h.config.OpenEvents
	if c.caller.Anonymous() && !open {
		return done.failed(loginError{errNoToken})
	}
	body, err := endpoint.ReadBody(c.w, c.r, h.maxEvent())
	if err != nil {
		return done.failed(err)
	}
	w, err := h.requestOf(c, ofTrigger, body)
	if err != nil {
		return done.failed(err)
	}
	if !open {
		if err := h.admit(c.r.Context(), c.caller, w.application); err != nil {
			return sent{application: w.application}.failed(err)
		}
	}
	return h.send(c, w)
}

// maxEvent makes room for an event in JSON: its data in base64, and its attributes.
func (h *Handler) maxEvent() int { return h.config.MaxBody/3*4 + 16<<10 }

// requestOf reads the command of an event: the attributes application and device say where to, the subject is its name.
func (h *Handler) requestOf(c *call, ofTrigger string, body []byte) (*request, error) {
	m, err := delivery.Read(c.r.Header, body)
	if err != nil {
		return nil, outcome.New(outcome.Invalid, err.Error())
	}
	w := &request{
		application: m.Attribute("application"), device: m.Attribute("device"), name: m.Attribute("subject"),
		contentType: m.Header.Get(header.ContentType), payload: m.Body, correlation: c.r.Header.Get(commands.HeaderCorrelation),
	}
	if w.application == "" {
		w.application = ofTrigger
	}
	switch {
	case m.Attribute("type") != event.TypeCommand:
		return nil, outcome.New(outcome.Invalid, "the event's type is not "+event.TypeCommand)
	case ofTrigger != "" && w.application != ofTrigger:
		return nil, outcome.New(outcome.Invalid, "the event is for a device of another application")
	case w.application == "" || w.device == "":
		return nil, outcome.New(outcome.Invalid, "the event needs the attributes application and device")
	case w.correlation != "" && commands.ValidateCorrelation(w.correlation) != nil:
		return nil, outcome.New(outcome.Invalid, "the header "+commands.HeaderCorrelation+" is none of a process that waits")
	case len(w.payload) > h.config.MaxBody:
		return nil, outcome.New(outcome.TooLarge, "the event's data is too large")
	}
	return w, nil
}
