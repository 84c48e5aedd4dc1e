package coap

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/fairshare"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A watcher is a device that observes its commands.
type watcher struct {
	gateway  *Gateway
	login    *login
	place    *fairshare.Place
	report   requestReport // if its admission is taken back
	queue    *command.Queue
	listener *command.Listener

	mu          sync.Mutex // guards what follows until run begins
	observation *protocol.Observation
	gone        bool // has to give way
}

// observe registers a device for its commands, each of which becomes a notification.
func (g *Gateway) observe(ctx context.Context, r *protocol.Request, t target, d requestReport, reply func(protocol.Response)) {
	l, err := g.login(ctx, r, t.query, &d)
	if err != nil {
		reply(d.login(err))
		return
	}
	if l.as != nil { // a session about both devices, which hears of changes to either
		if l.session, err = g.devices.Authenticate(ctx, l.request); err != nil {
			reply(d.login(err))
			return
		}
	}
	queue, listener, err := g.listen(ctx, l)
	if err != nil {
		reply(d.answer(outcome.ResultOf(err)))
		return
	}
	registered := protocol.Response{Code: codes.Content, Options: message.Options{g.maxAge()}}
	w := &watcher{gateway: g, login: l, report: d, queue: queue, listener: listener}
	if !w.enter(r) {
		listener.Close()
		reply(protocol.Response{Code: codes.Content})
		return
	}
	g.metrics.observed()
	reply(registered)
	go w.run(ctx)
}

// enter takes a place among the observers. Who gives way for it has ended before.
func (w *watcher) enter(r *protocol.Request) (ok bool) {
	if w.place, ok = w.login.enter(w.gateway.observers, w.giveWay); !ok {
		return false
	}
	o := r.Observe()
	w.mu.Lock()
	w.observation = o
	gone := w.gone
	w.mu.Unlock()
	if o != nil && !gone {
		return true
	}
	w.place.Leave()
	if o != nil {
		o.End()
	}
	return false
}

// giveWay ends the observation, so that there is room for another one.
func (w *watcher) giveWay() {
	w.mu.Lock()
	w.gone = true
	o := w.observation
	w.mu.Unlock()
	if o != nil {
		o.Refuse(protocol.Busy(outcome.RetryAfter, "others need the place"))
	}
}

// maxAge tells a device for how long it is registered.
func (g *Gateway) maxAge() message.Option {
	return protocol.UintOption(message.MaxAge, uint32(g.config.ObserveLifetime/time.Second))
}

// run notifies the device of commands, until it does not want them any more, or must not have them.
func (w *watcher) run(ctx context.Context) {
	defer w.listener.Close()
	defer w.place.Leave()
	defer w.observation.End()
	lifetime := time.NewTimer(w.gateway.config.ObserveLifetime)
	defer lifetime.Stop()
	for {
		select {
		case <-w.observation.Done():
			return
		case <-lifetime.C:
			return
		case <-w.gateway.closing:
			w.observation.Refuse(protocol.Busy(outcome.RetryAfter, "the gateway is about to close"))
			return
		case <-w.login.session.Revoked:
			if !w.readmit(ctx) {
				return
			}
		case c := <-w.queue.C():
			if !w.notify(ctx, c) {
				return
			}
		}
		runtime.KeepAlive(w.login.session) // Revoked works as long as the session is held
	}
}

// notify hands a command over, unless the device's admission has been taken back meanwhile.
func (w *watcher) notify(ctx context.Context, c command.Command) bool {
	select {
	case <-w.login.session.Revoked:
		if !w.readmit(ctx) {
			return false
		}
	default:
	}
	r := w.gateway.commanded(c)
	r.Options = append(r.Options, w.gateway.maxAge())
	err := w.observation.Notify(ctx, r)
	w.gateway.metrics.notified(err)
	return err == nil
}

// readmit asks again whether the device may have commands. A device that may not is told so.
func (w *watcher) readmit(ctx context.Context) bool {
	session, err := w.gateway.readmission.Ask(ctx, w.login.session, w.login.request)
	if err == nil {
		w.login.session = session
		return true
	}
	if !errors.Is(err, context.Canceled) {
		w.observation.Refuse(w.report.login(err))
	}
	return false
}
