package integration

import (
	"context"
	"encoding/json"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/triggers"
)

// maxCommands is how many commands of one WebSocket are on their way at once. Meanwhile nothing is read from it.
const maxCommands = 16

// A commandResult is the answer to a command that came over a WebSocket.
type commandResult struct {
	Command struct {
		ID      string `json:"id"`      // of the event that was the command
		Outcome string `json:"outcome"` // "accepted", or why not
		Reached int    `json:"reached"` // how many listeners took it
		Reason  string `json:"reason,omitempty"`
	}
}

// command sends the command that an event is, and answers with what became of it.
func (s *socket) command(ctx context.Context, document []byte) {
	select {
	case s.sending <- struct{}{}:
	case <-ctx.Done():
		return
	}
	go func() {
		defer func() { <-s.sending }()
		s.answer(ctx, document)
	}()
}

func (s *socket) answer(ctx context.Context, document []byte) {
	var result commandResult
	c, err := s.commandOf(document)
	if err == nil {
		var sent receipt
		sent, err = s.web.gateway.sendCommand(ctx, s.user, c)
		result.Command.Reached = sent.reached
	}
	r := outcome.Result{Outcome: outcome.Accepted}
	if err != nil {
		r = outcome.ResultOf(err)
		s.reportCommand(r)
	}
	result.Command.ID, result.Command.Outcome, result.Command.Reason = c.id, r.Outcome.String(), r.Reason
	if text, err := json.Marshal(result); err == nil {
		s.queue.tell(text)
	}
}

// commandOf reads the command of an event: its extension device says for whom, its subject is the name. It is for a device of the
// application that is consumed.
func (s *socket) commandOf(document []byte) (command, error) {
	e, err := triggers.EventFromJSON(document)
	if err != nil {
		return command{}, invalid("the event does not parse: " + err.Error())
	}
	text := func(name string) string {
		value, _ := e.Text(name)
		return value
	}
	c := command{
		id: e.ID(), application: text("application"), device: text("device"), name: text("subject"), contentType: text("datacontenttype"), payload: e.Data(),
	}
	if c.application == "" {
		c.application = s.wanted.Application
	}
	switch {
	case e.Type() != event.TypeCommand:
		return c, invalid("the event's type is not " + event.TypeCommand)
	case c.application != s.wanted.Application:
		return c, invalid("the event is for a device of another application")
	case event.ValidateContentType(c.contentType) != nil:
		return c, invalid("the event's datacontenttype is not a media type")
	}
	return c, nil
}
