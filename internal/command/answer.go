package command

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
)

// ResponseChannel is the channel on which devices answer commands.
const ResponseChannel = "command/response"

// An Answer is what a device said to a command.
type Answer struct {
	Application string // registry name
	Device      string // registry name of the device that answers
	ContentType string
	Payload     []byte
}

// errCorrelation says nothing of the text.
var errCorrelation = errors.New("the correlation is not one that came with a command")

// correlationPart is the length of both parts of a correlation, the name of the sender and a random text of 130 bits.
const correlationPart = 26

// ValidateCorrelation checks the form of what a device repeats in its answer. Whether somebody waits for it is not known here.
func ValidateCorrelation(text string) error {
	sender, random, ok := strings.Cut(text, ".")
	if !ok || !isRandom(sender) || !isRandom(random) {
		return errCorrelation
	}
	return nil
}

// isRandom tells whether a text may be one of rand.Text.
func isRandom(text string) bool {
	return len(text) == correlationPart && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}

// An Expectation waits for the answer to one command.
type Expectation struct {
	Correlation string // that goes with the command
	answers     chan Answer
	cancel      func()
}

// maxAnswers is how many answers wait to be looked at. One is enough where only the device that was asked is heard.
const maxAnswers = 4

// Expect begins to wait for an answer to a command, which it marks: application and device must not change afterwards. Only the device
// that the command is for can answer, and only with the correlation that goes with the command. The error is outcome.Unavailable if
// Redis does not let it listen. Close must be called.
func (r *Router) Expect(ctx context.Context, c *Command) (*Expectation, error) {
	device := c.Device
	e, err := r.expectAnswer(ctx, c.Application, func(of string) bool { return of == device })
	if err != nil {
		return nil, err
	}
	c.Respond, c.Correlation = true, e.Correlation
	return e, nil
}

// ExpectFrom begins to wait for an answer to a command that another process sends to a device of the application, with the expectation's
// correlation. Which device that is Wait is told. Errors are those of Expect. Close must be called.
func (r *Router) ExpectFrom(ctx context.Context, application string) (*Expectation, error) {
	return r.expectAnswer(ctx, application, func(string) bool { return true })
}

// expectAnswer waits for answers of the devices of an application that are accepted.
func (r *Router) expectAnswer(ctx context.Context, application string, accepted func(device string) bool) (*Expectation, error) {
	e := &Expectation{Correlation: r.name + "." + rand.Text(), answers: make(chan Answer, maxAnswers)}
	cancel, err := r.expect(ctx, e.Correlation, func(answer reply, body []byte) {
		from := answer.Answer
		if from == nil || from.Application != application || !accepted(from.Device) {
			r.metrics.broken()
			return
		}
		select {
		case e.answers <- Answer{from.Application, from.Device, from.ContentType, body}:
		default: // the first ones count
		}
	})
	if err != nil {
		return nil, err
	}
	e.cancel = cancel
	return e, nil
}

// Wait waits for the answer of a device, and tells whether it came before ctx ended. The first one counts.
func (e *Expectation) Wait(ctx context.Context, device string) (a Answer, ok bool) {
	for {
		select {
		case a = <-e.answers:
			if a.Device == device {
				return a, true
			}
		case <-ctx.Done():
			return Answer{}, false
		}
	}
}

// Close ends waiting.
func (e *Expectation) Close() { e.cancel() }

// Answer takes a device's answer to who waits for it, in whatever process that is; if nobody does, to nobody. It does not block, and
// does nothing without Redis. The correlation must be a valid one.
func (h *Hub) Answer(correlation string, a Answer) {
	if h.router == nil {
		return
	}
	sender, _, _ := strings.Cut(correlation, ".")
	h.router.reply(sender, reply{ID: correlation, Answer: &answerHeader{a.Application, a.Device, a.ContentType}}, a.Payload)
}
