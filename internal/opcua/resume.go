package opcua

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A gap is messages that the server has sent and that did not arrive.
type gap struct {
	to      uint32 // the message after the gap
	open    bool   // its end is not known: it is where the server has no more
	missing int    // messages in it that the server no longer has
}

// longestGap is how many messages are asked for again one by one. No server keeps as many.
const longestGap = 10_000

// takeOver makes the subscriptions of before those of a connection. Those that the server no longer has are lost.
func (s *Server) takeOver(ctx context.Context, conn *Connection, resumed bool) error {
	s.noteSettled()
	now := serverID{URI: conn.session.serverURI, Started: conn.started}
	if now != s.serverID {
		for _, sub := range s.subs {
			s.abandon(sub, "the server has restarted")
		}
		s.serverID = now
		return nil
	}
	if len(s.subs) == 0 {
		return nil
	}
	if !resumed {
		return s.transfer(ctx, conn)
	}
	for _, sub := range s.subs {
		sub.gap, sub.again = &gap{open: true, missing: sub.missing()}, true
	}
	return nil
}

// missing is how many messages the server no longer has of a gap that is not filled yet.
func (sub *subscription) missing() int {
	if sub.gap == nil {
		return 0
	}
	return sub.gap.missing
}

// transfer moves the subscriptions to a new session.
func (s *Server) transfer(ctx context.Context, conn *Connection) error {
	q := &binary.TransferSubscriptionsRequest{}
	for number := range s.subs {
		q.SubscriptionIDs = append(q.SubscriptionIDs, number)
	}
	p, err := do[*binary.TransferSubscriptionsResponse](ctx, conn, q)
	var status Status
	switch {
	case errors.As(err, &status):
		for _, sub := range s.subs {
			s.abandon(sub, fmt.Sprintf("the server does not transfer the subscription: %v", status))
		}
		return nil
	case err != nil:
		return fmt.Errorf("transferring the subscriptions: %w", err)
	case len(p.Results) != len(q.SubscriptionIDs):
		return fmt.Errorf("transferring the subscriptions: %w", errCount)
	}
	for i, r := range p.Results {
		sub := s.subs[q.SubscriptionIDs[i]]
		if r.StatusCode.Bad() {
			s.abandon(sub, fmt.Sprintf("the server does not transfer the subscription: %v", r.StatusCode))
			continue
		}
		sub.transferred(r.AvailableSequenceNumbers)
	}
	return nil
}

// transferred notes which messages the server still has: those to be asked for, and those to be acknowledged once more.
func (sub *subscription) transferred(available []uint32) {
	g := &gap{to: sub.expected, missing: sub.missing()}
	for _, sequence := range available {
		if sub.ahead(sequence) >= 0 && sub.ahead(sequence) >= sub.ahead(g.to) {
			g.to = next(sequence)
		}
	}
	if g.missing > 0 || g.to != sub.expected {
		sub.gap = g
	}
	sub.again = true
	sub.acknowledgeAgain(available)
}

// acknowledgeAgain acknowledges what is stored and the server still has: the acknowledgements were lost with a connection. Numbers
// that no server still has are left out.
func (sub *subscription) acknowledgeAgain(available []uint32) {
	if !sub.again {
		return
	}
	sub.again = false
	known := map[uint32]bool{}
	for _, sequence := range sub.acks {
		known[sequence] = true
	}
	for _, sequence := range available {
		if sub.stored-sequence < longestGap && !known[sequence] {
			known[sequence] = true
			sub.acks = append(sub.acks, sequence)
		}
	}
}

// fill asks for the first message of a gap once more.
func (p *publisher) fill(ctx context.Context, sub *subscription) error {
	g := sub.gap
	if n := sub.ahead(g.to); !g.open && n > longestGap {
		g.missing = n
		sub.expected = g.to
	}
	if !g.open && sub.ahead(g.to) <= 0 {
		p.close(sub)
		return nil
	}
	sequence := sub.expected
	r, err := do[*binary.RepublishResponse](ctx, p.conn, &binary.RepublishRequest{SubscriptionID: sub.id, RetransmitSequenceNumber: sequence})
	if err == nil && r.NotificationMessage.SequenceNumber == sequence && len(r.NotificationMessage.NotificationData) > 0 {
		p.metrics.republished()
		return p.deliver(ctx, sub, &r.NotificationMessage)
	}
	var status Status
	switch {
	case errors.Is(err, binary.StatusBadSubscriptionIDInvalid), errors.Is(err, binary.StatusBadNoSubscription):
		p.abandon(sub, "the server no longer has the subscription")
		return fmt.Errorf("asking for messages again: %w", err)
	case errors.Is(err, binary.ErrMalformed), errors.Is(err, binary.ErrLimits):
		p.log.Warn("A message of the server cannot be read.", zap.Error(err))
		sub.acks = append(sub.acks, sequence) // or it would be in the way for ever
		g.missing++
		sub.expected = next(sequence)
	case err == nil || errors.As(err, &status): // the server does not have it
		if g.open {
			p.close(sub)
			return nil
		}
		g.missing++
		sub.expected = next(sequence)
	default:
		return fmt.Errorf("asking for messages again: %w", err)
	}
	return nil
}

// close ends a gap, and tells of what is missing.
func (p *publisher) close(sub *subscription) {
	if n := sub.gap.missing; n > 0 {
		p.lose(Loss{Messages: n, Since: sub.heard, Reason: "the server no longer has them"})
	}
	sub.gap = nil
}
