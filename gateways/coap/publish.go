package coap

import (
	"context"
	"runtime"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/coding"
	"github.com/fairlead/fairlead/internal/command"
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
	wait, err := g.expect(ctx, l, t.query.Wait)
	if err != nil {
		reply(d.answer(outcome.ResultOf(err)))
		return
	}
	g.pipeline.Publish(ctx, l.session, l.as, ingest.Message{
		Channel:     t.channel,
		ContentType: format.media,
		DataSchema:  t.query.DataSchema,
		Body:        body,
		Protocol:    refusal.CoAP,
		Received:    received,
	}, func(result outcome.Result) {
		// The caller is Kafka's, and must not wait for the encryption of the answer.
		go g.published(ctx, wait, result, d, reply)
	})
}

// published answers a message whose outcome is known.
func (g *Gateway) published(ctx context.Context, wait *expectation, result outcome.Result, d requestReport, reply func(protocol.Response)) {
	if !result.Outcome.Good() {
		wait.close()
		reply(d.answer(result))
		return
	}
	if c, ok := g.await(ctx, wait); ok {
		reply(g.commanded(c))
		return
	}
	reply(answer(result))
}

// An expectation is a request that waits for one command. nil waits for none.
type expectation struct {
	login    *login
	queue    *command.Queue
	listener *command.Listener
	until    time.Duration // from when the wait begins
	leave    func()
}

// expect begins to listen, so that no command is missed while the message is stored. A request beyond the bound of those
// that wait does not wait.
func (g *Gateway) expect(ctx context.Context, l *login, wait time.Duration) (*expectation, error) {
	if wait = min(wait, g.config.MaxWait); wait <= 0 {
		return nil, nil //nolint:nilnil // nil is a valid expectation
	}
	select {
	case g.waiting <- struct{}{}:
	default:
		return nil, nil //nolint:nilnil // see above
	}
	leave := func() { <-g.waiting }
	queue, listener, err := g.listen(ctx, l)
	if err != nil {
		leave()
		return nil, err
	}
	return &expectation{login: l, queue: queue, listener: listener, until: wait, leave: leave}, nil
}

// await waits for a command: until the time is over, the admission is taken back, the device is gone or the gateway closes.
// When it returns, nothing listens any more, so that no command is taken by a request that has its answer.
func (g *Gateway) await(ctx context.Context, w *expectation) (c command.Command, ok bool) {
	if w == nil {
		return c, false
	}
	defer w.close()
	defer runtime.KeepAlive(w.login.session) // Revoked works as long as the session is held
	timer := time.NewTimer(w.until)
	defer timer.Stop()
	select {
	case c = <-w.queue.C():
		return c, true
	case <-timer.C:
	case <-w.login.session.Revoked:
	case <-ctx.Done():
	case <-g.closing:
	}
	return c, false
}

func (w *expectation) close() {
	if w != nil {
		w.listener.Close()
		w.leave()
	}
}

// commandQueue is how many commands may wait for a device to take them; beyond, the oldest gives way.
const commandQueue = 16

// listen has commands for the device of a log-in collected in a queue: its own, or those for the one device that it acts for.
func (g *Gateway) listen(ctx context.Context, l *login) (*command.Queue, *command.Listener, error) {
	f := command.Filter{Application: l.session.Application.Metadata.Name, Gateway: l.session.Device.Metadata.Name, Protocol: refusal.CoAP}
	if device := l.target().Metadata.Name; device != f.Gateway {
		f.Scope, f.Device = command.One, device
	}
	queue := g.commands.NewQueue(commandQueue)
	listener, err := g.commands.Listen(ctx, f, queue.Put)
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
		if c, ok := g.await(ctx, wait); ok {
			reply(g.commanded(c))
			return
		}
		reply(protocol.Response{Code: codes.Content})
	}()
}
