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
	answers chan Answer
	cancel  func()
}

// Expect begins to wait for an answer to a command, which it marks: application and device must not change afterwards. Only the device
// that the command is for can answer, and only with the correlation that goes with the command. The error is outcome.Unavailable if
// Redis does not let it listen. Close must be called.
func (r *Router) Expect(ctx context.Context, c *Command) (*Expectation, error) {
	correlation := r.name + "." + rand.Text()
	e := &Expectation{answers: make(chan Answer, 1)}
	application, device := c.Application, c.Device
	cancel, err := r.expect(ctx, correlation, func(answer reply, body []byte) {
		from := answer.Answer
		if from == nil || from.Application != application || from.Device != device {
			r.metrics.broken()
			return
		}
		select {
		case e.answers <- Answer{from.Application, from.Device, from.ContentType, body}:
		default: // the first one counts
		}
	})
	if err != nil {
		return nil, err
	}
	e.cancel = cancel
	c.Respond, c.Correlation = true, correlation
	return e, nil
}

// C is where the answer comes out.
func (e *Expectation) C() <-chan Answer { return e.answers }

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
