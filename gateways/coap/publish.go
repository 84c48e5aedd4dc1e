package coap

import (
	"context"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/coding"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/fairshare"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// publish stores a message and answers when it is stored, or, with ct, when a command has come or the time is over. It
// returns as soon as the message is on its way, so that the next one of the device follows it.
func (g *Gateway) publish(ctx context.Context, r *protocol.Request, t target, d requestReport, answered func(protocol.Response)) {
	received := time.Now()
	ctx, span := g.tracer.Receive(ctx, "coap")
	reply := func(response protocol.Response) {
		span.End()
		answered(response)
	}
	l, err := g.login(ctx, r, t.query, &d)
	if err != nil {
		reply(d.login(err))
		return
	}
	format := g.formats.of(r.Uint(message.ContentFormat))
	body, err := coding.Decode(format.coding, r.Body, g.pipeline.MaxBody())
	if err != nil {
		reply(d.answer(outcome.ResultOf(err)))
		return
	}
	if t.query.Correlation != "" && t.channel != command.ResponseChannel {
		reply(d.answer(outcome.Result{Outcome: outcome.Invalid, Reason: "answers to commands go to /v1/" + command.ResponseChannel}))
		return
	}
	// A message is worth more than a command: without Redis it is stored all the same, and nobody waits.
	wait, _ := g.expect(ctx, l, t.query.Wait)
	g.pipeline.Publish(ctx, l.session, l.as, ingest.Message{
		Channel:     t.channel,
		ContentType: format.media,
		DataSchema:  t.query.DataSchema,
		Body:        body,
		Correlation: t.query.Correlation,
		Protocol:    refusal.CoAP,
		Received:    received,
	}, func(result outcome.Result) {
		// The caller is Kafka's, and must not wait for the encryption of the answer.
		g.endpoint.Go(func() { g.published(wait, result, d, reply) })
	})
}

// published answers a message whose outcome is known.
func (g *Gateway) published(wait *poll, result outcome.Result, d requestReport, reply func(protocol.Response)) {
	if !result.Outcome.Good() {
		wait.close()
		reply(d.answer(result))
		return
	}
	if c, ok := g.await(wait); ok {
		reply(g.commanded(c))
		return
	}
	reply(answer(result))
}

// A poll is a request that waits for one command. nil waits for none.
type poll struct {
	ctx   context.Context // ends when the device has to give way, and with leave
	login *login
	poll  *command.Poll
	until time.Duration // from when the wait begins
	leave func()
}

// expect begins to listen, so that no command is missed while the message is stored. A request beyond the bound of those
// that wait does not wait.
func (g *Gateway) expect(ctx context.Context, l *login, wait time.Duration) (*poll, error) {
	if wait = min(wait, g.config.MaxWait); wait <= 0 {
		return nil, nil //nolint:nilnil // nil is a valid poll
	}
	ctx, giveWay := context.WithCancel(ctx)
	place, ok := l.enter(g.waiting, giveWay)
	if !ok {
		giveWay()
		return nil, nil //nolint:nilnil // see above
	}
	leave := func() {
		place.Leave()
		giveWay()
	}
	begun, err := g.commands.Poll(ctx, l.filter())
	if err != nil {
		leave()
		return nil, err
	}
	return &poll{ctx: ctx, login: l, poll: begun, until: wait, leave: leave}, nil
}

// await waits for a command: until the time is over, the admission is taken back, the device is gone or the gateway closes.
// When it returns, nothing listens any more, so that no command is taken by a request that has its answer.
func (g *Gateway) await(p *poll) (c command.Command, ok bool) {
	if p == nil {
		return c, false
	}
	defer p.leave()
	return p.poll.Wait(p.ctx, p.until, &admission{gateway: g, login: p.login}, g.closing)
}

// An admission is what a request that waits rests on. Revoked works as long as the session is held.
type admission struct {
	gateway *Gateway
	login   *login
}

func (a *admission) Revoked() <-chan struct{} { return a.login.session.Revoked }

// Renew asks again whether the device may have commands.
func (a *admission) Renew(ctx context.Context) bool {
	before := a.login.session
	if a.login.as != nil { // of whom the session of a handshake knows nothing
		before = &auth.Session{Application: before.Application, Device: before.Device, As: a.login.as}
	}
	session, err := a.gateway.readmission.Ask(ctx, before, a.login.request)
	if err != nil {
		return false
	}
	a.login.session, a.login.as = session, nil
	return true
}

func (p *poll) close() {
	if p != nil {
		p.poll.Close()
		p.leave()
	}
}

// commandQueue is how many commands may wait for a device to take them; beyond, the oldest gives way.
const commandQueue = 16

// enter takes a place for the device of a log-in.
func (l *login) enter(room *fairshare.Room, giveWay func()) (*fairshare.Place, bool) {
	return room.Enter(l.session.Application.Metadata.Name, l.session.Device.Metadata.Name, giveWay)
}

// filter is for the commands of the device of a log-in: its own, or those for the one device that it acts for.
func (l *login) filter() command.Filter {
	return command.For(l.session.Application.Metadata.Name, l.session.Device.Metadata.Name, l.target().Metadata.Name, refusal.CoAP)
}

// listen has commands for the device of a log-in collected in a queue.
func (g *Gateway) listen(ctx context.Context, l *login) (*command.Queue, *command.Listener, error) {
	queue := g.commands.NewQueue(commandQueue)
	listener, err := g.commands.Listen(ctx, l.filter(), queue.Put)
	return queue, listener, err
}

// poll answers GET of /v1/commands without observing: with the next command, or, when the time is over, with nothing.
func (g *Gateway) poll(ctx context.Context, r *protocol.Request, t target, d requestReport, reply func(protocol.Response)) {
	l, err := g.login(ctx, r, t.query, &d)
	if err != nil {
		reply(d.login(err))
		return
	}
	wait, err := g.expect(ctx, l, t.query.Wait)
	if err != nil {
		reply(d.answer(outcome.ResultOf(err)))
		return
	}
	go func() {
		if c, ok := g.await(wait); ok {
			reply(g.commanded(c))
			return
		}
		reply(protocol.Response{Code: codes.Content})
	}()
}
