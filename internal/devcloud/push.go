package devcloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/triggers"
)

// pushPolicy is that of the Triggers to applications' own endpoints: six attempts in 12 s, and what an attempt takes, one event of a
// partition at a time.
var pushPolicy = triggers.Policy{
	Retries: 5, BackoffPolicy: triggers.BackoffExponential, BackoffDelay: 200 * time.Millisecond, Timeout: 30 * time.Second, Ordered: true,
}

// pushPause is how long after a change the registry is read again: documents are often written in numbers.
const pushPause = 100 * time.Millisecond

// A pushing has a Trigger to the function push for every application that has an endpoint, as functions/provision makes one on a
// cluster.
type pushing struct {
	store      *store.Store
	function   string // URL of the function, without a slash at the end
	deadLetter string // URL; "" for none
	logger     *slog.Logger
	changed    chan struct{}

	mu     sync.Mutex
	served []dispatch.Subscription
}

// hear notes that an application has changed.
func (p *pushing) hear(e cache.Event) {
	if !e.Everything && e.Change.Kind != registry.ApplicationChanged {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default: // it is noted already
	}
}

// subscriptions are the Triggers as they were read last.
func (p *pushing) subscriptions() []dispatch.Subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

// read reads the registry, and tells whether the Triggers are others than before.
func (p *pushing) read(ctx context.Context) (changed bool, err error) {
	var all []dispatch.Subscription
	for after := ""; ; {
		page, err := p.store.Applications(ctx, store.Reader{All: true}, store.Query{After: after})
		if err != nil {
			return false, err
		}
		for _, a := range page {
			after = a.Metadata.Name
			if s, ok := p.subscription(a); ok {
				all = append(all, s)
			}
		}
		if len(page) < store.MaxPage {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	same := func(a, b dispatch.Subscription) bool { return a.Name == b.Name && a.Version == b.Version }
	changed = !slices.EqualFunc(all, p.served, same)
	p.served = all
	return changed, nil
}

// subscription is the Trigger of an application that has an endpoint. One that cannot be used is told by the function, event by event,
// and so comes to the dead letter sink.
func (p *pushing) subscription(a *registry.Application) (dispatch.Subscription, bool) {
	if _, err := a.PushEndpoint(); errors.Is(err, registry.ErrNoPush) || a.Metadata.Deleting() {
		return dispatch.Subscription{}, false
	}
	name := a.Metadata.Name
	return dispatch.Subscription{
		Name: "fairlead/push-" + name, Group: "fairlead-push." + a.Metadata.UID, Topic: event.Topic(name), Application: name,
		Filter:     noCommands{},
		Subscriber: p.function + "/" + name, DeadLetter: p.deadLetter, Policy: pushPolicy, Version: a.Metadata.UID,
	}, true
}

// noCommands lets through what is not for devices.
type noCommands struct{}

var _ dispatch.Filter = noCommands{}

// Select never fails.
func (noCommands) Select(e *triggers.Event) (bool, error) {
	return e.Type() != event.TypeCommand, nil
}

// watch has apply called whenever the Triggers have changed, until the context ends.
func (p *pushing) watch(ctx context.Context, apply func(), running *sync.WaitGroup) {
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.changed:
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pushPause):
			}
			p.follow(ctx, apply)
		}
	})
}

func (p *pushing) follow(ctx context.Context, apply func()) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	changed, err := p.read(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		p.logger.Error(fmt.Sprintf("the endpoints that events are pushed to stay as they were: %v", err))
	case changed:
		apply()
	}
}

// servePush serves the function push, and reads which applications have an endpoint.
func (d *Dev) servePush(ctx context.Context, n *Neighbours, deadLetters net.Listener) (*pushing, error) {
	listener, err := listen("push", "127.0.0.1:0") // only the dispatcher asks for it
	if err != nil {
		return nil, err
	}
	d.onClose(serve(newServer(d.functions.Push), listener, d.fail))
	p := &pushing{store: n.Store, function: url(listener), logger: d.logger, changed: make(chan struct{}, 1)}
	if deadLetters != nil {
		p.deadLetter = url(deadLetters) + "/"
	}
	cancel := d.functions.Documents.Subscribe(p.hear)
	d.onClose(func(context.Context) error { cancel(); return nil })
	_, err = p.read(ctx)
	return p, err
}
