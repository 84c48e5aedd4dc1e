package ingest

import (
	"bytes"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
)

// ExtensionCorrelation is the extension of an event that answers a command.
const ExtensionCorrelation = "correlationid"

// Answers take devices' answers to who waits for them. *command.Hub does.
type Answers interface {
	Answer(correlation string, a command.Answer)
}

// AnswerTo has messages that answer commands told to who waits for them, after they are stored. It is for before the first message.
func (p *Pipeline) AnswerTo(answers Answers) { p.answers = answers }

// validateAnswer checks what only an answer has.
func validateAnswer(m *Message) error {
	if m.Correlation == "" {
		return nil
	}
	return command.ValidateCorrelation(m.Correlation)
}

// correlated are the extensions of a message with its correlation.
func correlated(m *Message) map[string]string {
	if m.Correlation == "" {
		return m.Extensions
	}
	all := map[string]string{}
	for name, value := range m.Extensions {
		all[name] = value
	}
	all[ExtensionCorrelation] = m.Correlation
	return all
}

// answering makes of done what also tells who waits for the answer that a message is, when it is stored.
func (p *Pipeline) answering(e *event.Event, m *Message, done func(outcome.Result)) func(outcome.Result) {
	if m.Correlation == "" || p.answers == nil {
		return done
	}
	correlation := m.Correlation
	a := command.Answer{
		Application: e.Origin.Application, Device: e.Origin.Device, ContentType: m.ContentType, Payload: bytes.Clone(m.Body),
	}
	return func(r outcome.Result) {
		if r.Outcome.Good() {
			p.answers.Answer(correlation, a)
		}
		done(r)
	}
}
