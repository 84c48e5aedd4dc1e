package opcua

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/gopcua/opcua/id"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// mostRequests is how many publish requests are at the server at once, at most.
const mostRequests = 10

// errStalled is the error of a server that no longer publishes.
var errStalled = errors.New("the server does not answer publish requests any more")

// A publisher asks for messages on one connection, and hands them over in their order.
type publisher struct {
	*Server
	conn    *Connection
	answers chan answer
	asked   int                       // publish requests that are not answered
	most    int                       // that the server takes at once
	held    []*binary.PublishResponse // that wait until gaps before them are filled
	since   time.Time                 // there were requests at the server all the time
	idle    flood                     // answers that brought nothing
}

// An answer is that to a publish request, with the acknowledgements that went with it.
type answer struct {
	response *binary.PublishResponse
	err      error
	acks     []binary.SubscriptionAcknowledgement
}

func newPublisher(s *Server, conn *Connection) *publisher {
	return &publisher{Server: s, conn: conn, answers: make(chan answer, mostRequests), most: mostRequests, since: time.Now()}
}

// run publishes until the connection or ctx ends.
func (p *publisher) run(ctx context.Context) error {
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go p.conn.watch(watched)
	ticker := time.NewTicker(p.config.KeepAlive)
	defer ticker.Stop()
	for {
		if err := p.advance(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.conn.channel.Done():
			return p.conn.channel.Err()
		case a := <-p.answers:
			if err := p.answered(a); err != nil {
				return err
			}
		case <-p.wake:
		case <-p.refresh:
			if err := p.monitor(ctx, p.conn); err != nil {
				return err
			}
		case <-ticker.C:
			if p.stalled() {
				return errStalled
			}
		}
	}
}

// advance does what can be done without waiting for somebody: fills gaps, hands over, asks for more.
func (p *publisher) advance(ctx context.Context) error {
	for {
		p.noteSettled()
		sub := p.incomplete()
		switch {
		case sub != nil && p.full():
			return nil // no more until something is settled
		case sub != nil:
			if err := p.fill(ctx, sub); err != nil {
				return err
			}
		case len(p.held) > 0:
			first := p.held[0]
			p.held = p.held[1:]
			if err := p.take(ctx, first); err != nil {
				return err
			}
		default:
			return p.ask()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// incomplete is a subscription with a gap.
func (p *publisher) incomplete() *subscription {
	for _, sub := range p.subs {
		if sub.gap != nil {
			return sub
		}
	}
	return nil
}

// ask sends publish requests: some for each subscription, and never so many that there could be more unsettled messages than may be.
// While messages are large there is one at a time, and none while those that are not settled take as much as may be.
func (p *publisher) ask() error {
	if len(p.subs) == 0 || p.full() {
		return nil
	}
	wanted := min(len(p.subs)+2, p.most, p.config.Window-p.unsettled)
	if p.largest > 0 {
		wanted = min(wanted, max(1, p.config.mostUnsettled()/p.largest))
	}
	for p.asked < wanted {
		acks := p.takeAcks()
		q := &binary.PublishRequest{SubscriptionAcknowledgements: acks}
		_, err := p.conn.channel.Send(q, p.conn.session.token, func(r binary.Response, err error) {
			a := answer{err: err, acks: acks}
			if err == nil {
				var ok bool
				if a.response, ok = r.(*binary.PublishResponse); !ok {
					a.err = fmt.Errorf("the server answers a publish request with %T", r)
				}
			}
			p.answers <- a // has room: no more requests are sent
		})
		if err != nil {
			p.restoreAcks(acks)
			return err
		}
		p.asked++
	}
	return nil
}

// takeAcks are the acknowledgements that are due. Where a subscription's messages are stored is written down before the server
// forgets them.
func (p *publisher) takeAcks() (acks []binary.SubscriptionAcknowledgement) {
	for _, sub := range p.subs {
		for _, sequence := range sub.acks {
			acks = append(acks, binary.SubscriptionAcknowledgement{SubscriptionID: sub.id, SequenceNumber: sequence})
		}
		sub.acks = nil
	}
	if len(acks) > 0 {
		p.savePositions()
	}
	return acks
}

// restoreAcks takes back acknowledgements of which nobody knows whether the server has them.
func (p *publisher) restoreAcks(acks []binary.SubscriptionAcknowledgement) {
	for _, ack := range acks {
		if sub := p.subs[ack.SubscriptionID]; sub != nil {
			sub.acks = append(sub.acks, ack.SequenceNumber)
		}
	}
}

// giveBack takes back the acknowledgements of which nobody knows whether the server has them, after the connection has ended.
func (p *publisher) giveBack() {
	for ; p.asked > 0; p.asked-- {
		if a := <-p.answers; a.err != nil {
			p.restoreAcks(a.acks)
		}
	}
}

// answered takes the answer to a publish request.
func (p *publisher) answered(a answer) error {
	p.asked--
	if a.err == nil {
		p.held = append(p.held, a.response)
		return nil
	}
	p.restoreAcks(a.acks)
	switch {
	case errors.Is(a.err, binary.StatusBadTooManyPublishRequests) && p.most > 1:
		p.most = max(1, p.asked)
		return nil
	case errors.Is(a.err, binary.StatusBadTimeout):
		return p.nothing()
	case errors.Is(a.err, binary.StatusBadNoSubscription):
		for _, sub := range p.subs {
			p.abandon(sub, "the server no longer has the subscription")
		}
	}
	return fmt.Errorf("asking for messages: %w", a.err)
}

// take looks at a message: it is the next one, shows a gap, or has been there.
func (p *publisher) take(ctx context.Context, r *binary.PublishResponse) error {
	sub := p.subs[r.SubscriptionID]
	if sub == nil {
		p.log.Debug("A subscription that nobody needs is deleted.", zap.Uint32("subscription", r.SubscriptionID))
		return errors.Join(p.conn.deleteSubscription(ctx, r.SubscriptionID), p.nothing())
	}
	sub.alive = time.Now()
	sub.acknowledgeAgain(r.AvailableSequenceNumbers)
	message := &r.NotificationMessage
	alive := len(message.NotificationData) == 0 // its number is that of the message to come
	switch n := sub.ahead(message.SequenceNumber); {
	case n > 0:
		sub.gap = &gap{to: message.SequenceNumber}
		if !alive {
			p.held = append([]*binary.PublishResponse{r}, p.held...)
		}
		return p.nothing() // of those there are few, or each would be a loss to tell of
	case n < 0 && !alive:
		return p.repeated(sub)
	case n == 0 && !alive:
		return p.deliver(ctx, sub, message)
	default:
		return p.nothing()
	}
}

// mostRepeated is how many messages in a row may have been there. Some come late, after they were asked for again; never more than
// there are requests.
const mostRepeated = 2 * mostRequests

var errRenumbered = errors.New("the server numbers the messages of the subscription anew")

// repeated drops a message that has been there. When there are only such the server numbers its messages anew: the subscription is
// given up, or all that is to come would be dropped.
func (p *publisher) repeated(sub *subscription) error {
	p.metrics.repeated()
	if sub.repeated++; sub.repeated <= mostRepeated {
		return p.nothing()
	}
	p.abandon(sub, errRenumbered.Error())
	return errRenumbered
}

// errFlood is the error of a server that keeps its client busy.
var errFlood = errors.New("the server answers publish requests all the time, and tells nothing")

// nothing notes an answer that brought nothing.
func (p *publisher) nothing() error {
	if p.idle.over(time.Now()) {
		return errFlood
	}
	return nil
}

// A flood is more of something than anybody needs.
type flood struct {
	since time.Time
	count int
}

// over notes one more, and tells whether there are too many.
func (f *flood) over(now time.Time) bool {
	const within, most = time.Second, 500
	if now.Sub(f.since) > within {
		*f = flood{since: now}
	}
	f.count++
	return f.count > most
}

// deliver hands a message over. A subscription that the server has ended is given up, and the connection with it: the next one makes
// it anew.
func (p *publisher) deliver(ctx context.Context, sub *subscription, m *binary.NotificationMessage) error {
	gone := p.handOver(ctx, p.conn, sub, m)
	if gone != nil {
		p.abandon(sub, fmt.Sprintf("the server has ended the subscription: %v", gone))
		return fmt.Errorf("the server has ended a subscription: %w", gone)
	}
	return nil
}

// stalled tells whether the server has said nothing of a subscription for longer than it promised, though it was asked all the time.
func (p *publisher) stalled() bool {
	if p.asked == 0 {
		p.since = time.Now()
		return false
	}
	for _, sub := range p.subs {
		last := sub.alive
		if last.Before(p.since) {
			last = p.since
		}
		if sub.silence > 0 && time.Since(last) > 2*sub.silence+p.config.Timeout {
			return true
		}
	}
	return false
}

// watch asks the server from time to time whether it is there, and so often that the session stays. If it does not answer the connection
// ends.
func (c *Connection) watch(ctx context.Context) {
	often := c.config.KeepAlive
	if c.session.silence > 0 {
		often = min(often, c.session.silence)
	}
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		_, err := c.readAttributes(ctx, []binary.ReadValueID{valueOf(binary.Numeric(id.Server_ServerStatus_State))})
		if err != nil && ctx.Err() == nil {
			c.channel.Fail(fmt.Errorf("asking whether the server is there: %w", err))
			return
		}
	}
}
