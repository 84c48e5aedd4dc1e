package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// MaxRenewalsBody bounds a question of PathRenewals, in bytes.
	MaxRenewalsBody = 1 << 20

	// batchSenders are how many questions of PathRenewals are on their way at once. What comes meanwhile goes with the next.
	batchSenders = 4
)

// batches collect renewals into few questions. There is no wait for more to come: while nothing is on its way a renewal goes
// alone.
type batches struct {
	mu      sync.Mutex
	queue   []*renewal
	senders int
}

// A renewal waits for its answer.
type renewal struct {
	text   json.RawMessage // of its WireRequest
	answer chan WireRenewal
}

// renew asks for a renewal, together with others.
func (c *Client) renew(ctx context.Context, question WireRequest) (*Session, error) {
	if !question.speakable() {
		return nil, refused()
	}
	text, err := json.Marshal(question)
	if err != nil {
		return nil, outcome.Wrap(outcome.Internal, "", fmt.Errorf("writing a request to the authentication service: %w", err))
	}
	r := &renewal{text, make(chan WireRenewal, 1)}
	c.batches.mu.Lock()
	c.batches.queue = append(c.batches.queue, r)
	begin := c.batches.senders < batchSenders
	if begin {
		c.batches.senders++
	}
	c.batches.mu.Unlock()
	if begin {
		go c.sendRenewals()
	}
	select {
	case answer := <-r.answer:
		return answer.decision()
	case <-ctx.Done():
		return nil, undecidedInTime(ctx.Err())
	}
}

// sendRenewals sends what waits, as many at a time as one question holds, until nothing does.
func (c *Client) sendRenewals() {
	for {
		batch := c.batches.take()
		if len(batch) == 0 {
			return
		}
		c.askRenewals(batch)
	}
}

// take takes the next question's renewals. Without any the sender is done.
func (b *batches) take() (batch []*renewal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size, n := 0, 0
	for n < len(b.queue) && n < MaxRenewals {
		size += len(b.queue[n].text) + 1
		if n > 0 && size > MaxRenewalsBody/2 {
			break
		}
		n++
	}
	batch, b.queue = b.queue[:n:n], b.queue[n:]
	if n == 0 {
		b.senders--
		b.queue = nil
	}
	return batch
}

// renewed is WireRenewed as a client reads it.
type renewed struct{ WireRenewed }

func (*renewed) note(Notes) {}

// askRenewals asks one question and hands out the answers. What is answered by more than may be read is asked for in halves.
func (c *Client) askRenewals(batch []*renewal) {
	texts := make([]json.RawMessage, len(batch))
	for i, r := range batch {
		texts[i] = r.text
	}
	body, err := json.Marshal(map[string][]json.RawMessage{"requests": texts})
	var answer renewed
	if err == nil {
		err = c.persist(context.Background(), PathRenewals, body, c.mostAnswers, &answer)
	}
	if errors.Is(err, errAnswerTooLarge) && len(batch) > 1 {
		c.askRenewals(batch[:len(batch)/2])
		c.askRenewals(batch[len(batch)/2:])
		return
	}
	for i, r := range batch {
		if err != nil || len(answer.Answers) != len(batch) {
			r.answer <- WireRenewal{Error: outcome.Of(err).String()}
			continue
		}
		r.answer <- answer.Answers[i]
	}
}
