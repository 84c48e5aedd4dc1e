package integration

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/feed"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A consumer is a session over HTTP, of either protocol: events wait in its queue, and one goroutine writes them.
type consumer struct {
	web     *web
	wanted  request
	user    *feed.Session
	remote  string
	queue   *queue
	window  *window // nil if the client does not acknowledge
	frame   func(e *feed.Event) func([]byte) []byte
	ended   chan leaving // holds why the session is to end
	recheck *protocol.Recheck
}

// A leaving is why a session over HTTP ends.
type leaving struct {
	code   closeCode
	reason string
}

var _ protocol.Login = (*consumer)(nil)

func (w *web) consumer(session *feed.Session, wanted request, remote string) *consumer {
	c := &consumer{
		web: w, wanted: wanted, user: session, remote: remote, queue: newQueue(w.gateway.config.Web.SendQueue), ended: make(chan leaving, 1),
	}
	if wanted.acknowledge {
		c.window = newWindow(wanted.window)
	}
	return c
}

// begin opens the subscription, and watches the session.
func (c *consumer) begin(ctx context.Context) (*feed.Subscription, error) {
	c.wanted.Limit = looseLimit
	if c.window != nil {
		c.wanted.Limit = c.wanted.window
	}
	opened, err := c.web.gateway.Feed.Open(ctx, c.wanted.Query, c.take)
	if err != nil {
		return nil, err
	}
	c.recheck = c.web.gateway.rechecker.Add(c)
	c.recheck.Admit(c.user)
	return opened, nil
}

// take puts an event into the queue. It is settled when it was written, or by the client.
func (c *consumer) take(ctx context.Context, e *feed.Event, settle feed.Settlement) {
	if c.window != nil && c.window.wait(ctx) != nil {
		settle.Abandon()
		return
	}
	if !c.queue.put(ctx, c.frame(e), settle) {
		settle.Abandon()
	}
}

// sending has what is about to be written wait for the client, if that acknowledges: it may do so at once.
func (c *consumer) sending(all []feed.Settlement) {
	if c.window == nil {
		return
	}
	for i, s := range all {
		if _, message := s.(unsettled); !message {
			c.window.push(s)
			all[i] = unsettled{}
		}
	}
}

// leave ends the session; the first reason counts.
func (c *consumer) leave(code closeCode, reason string) {
	select {
	case c.ended <- leaving{code, reason}:
	default:
	}
}

// close ends everything, and commits what the client has got.
func (c *consumer) close(s *feed.Subscription) {
	c.recheck.Close()
	c.queue.end()
	if c.window != nil {
		c.window.end()
	}
	s.Close()
}

// Renew has the log-in judged again, and what it may read.
func (c *consumer) Renew(ctx context.Context) (protocol.Admission, error) {
	if err := c.user.Renew(ctx); err != nil {
		return nil, err
	}
	return c.user, nil
}

// End ends the session of a user who is not admitted any more.
func (c *consumer) End(why protocol.RecheckResult, err error) {
	code := closePolicy
	if why == protocol.RecheckGivenUp {
		code = closeTryAgain
	}
	c.report(outcome.ResultOf(err), code)
	c.leave(code, endText(why))
}

func (c *consumer) report(result outcome.Result, code closeCode) {
	if result.Outcome.Good() { // the admission ended by itself
		result = outcome.Result{Outcome: outcome.Unauthenticated, Reason: "the token has expired"}
	}
	c.web.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "session", Application: c.wanted.Application, Remote: c.remote, Outcome: result.Outcome,
		Answer: code.String(), Reason: refusal.Explain(result),
	})
}

// reportCommand reports a command that was not sent.
func (c *consumer) reportCommand(r outcome.Result) {
	c.web.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "command", Application: c.wanted.Application, Remote: c.remote, Outcome: r.Outcome,
		Answer: r.Outcome.String(), Reason: refusal.Explain(r),
	})
}

// write writes what comes until the session ends, and tells why. alive is called at intervals.
func (c *consumer) write(ctx context.Context, flush func([][]byte) error, alive func() error) leaving {
	ticker := time.NewTicker(c.web.gateway.config.Web.PingInterval)
	defer ticker.Stop()
	var messages [][]byte
	var settle []feed.Settlement
	for {
		select {
		case <-c.queue.filled:
			messages, settle = c.queue.take(messages, settle)
			c.sending(settle)
			if err := flush(messages); err != nil {
				abandon(settle)
				return leaving{closeAbnormal, err.Error()}
			}
			for _, s := range settle {
				s.Done()
			}
			clear(settle)
			c.queue.recycle(messages)
		case <-ticker.C:
			if err := alive(); err != nil {
				return leaving{closeAbnormal, err.Error()}
			}
		case l := <-c.ended:
			return l
		case <-ctx.Done():
			return c.left()
		case <-c.web.life.Done():
			return leaving{closeGoingAway, "the server is shutting down"}
		}
	}
}

// left is why the session of a client ends from which nothing more is read.
func (c *consumer) left() leaving {
	select {
	case l := <-c.ended:
		return l
	default:
		return leaving{closeAbnormal, "the client has left"}
	}
}

func abandon(all []feed.Settlement) {
	for _, s := range all {
		s.Abandon()
	}
}
