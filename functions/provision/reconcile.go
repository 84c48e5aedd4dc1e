package provision

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/topics"
)

// Finalizers keep an application that is being deleted until what it was given is gone.
const (
	finalizerKafka   = "kafka"
	finalizerKnative = "knative"
)

// Topics makes and deletes topics. *topics.Topics does.
type Topics interface {
	Ensure(ctx context.Context, application, uid string, p topics.Purpose) error
	Remove(ctx context.Context, application, uid string, p topics.Purpose) error
}

// A Teller tells others what changed in the registry. *changes.Relay does.
type Teller interface {
	Tell(ctx context.Context, changes []registry.Change)
}

// Parts are what a provisioner works with.
type Parts struct {
	Store   *store.Store
	Changes Teller
	Topics  Topics       // nil where somebody else makes the topics
	Users   KafkaUsers   // nil where applications are given no users at Kafka
	Cluster *kube.Client // nil for none
	Log     *zap.Logger  // may be nil
}

// A Provisioner works on applications. It is safe for concurrent use, also by several processes.
type Provisioner struct {
	Parts
	settings Settings
	names    locks
	sweeping locks
	metrics  *metrics
}

// New makes a provisioner. Its settings must be valid.
func New(s Settings, p Parts) *Provisioner {
	if p.Log == nil {
		p.Log = zap.NewNop()
	}
	return &Provisioner{Parts: p, settings: s, metrics: newMetrics()}
}

// Reconcile gives an application, by name, what it needs and does not have, and takes away what it does not need or, if it is gone,
// all of it. The uid is that of the application that somebody heard of, or "". What cannot be done stands in the application's
// conditions; an error means that another attempt may end otherwise.
func (p *Provisioner) Reconcile(ctx context.Context, name, uid string) error {
	return p.reconcile(ctx, name, uid, p.settings.Wait > 0)
}

func (p *Provisioner) reconcile(ctx context.Context, name, uid string, wait bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, p.settings.Timeout)
	defer cancel()
	unlock, err := p.names.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	defer p.metrics.reconciled(&err)()
	a, err := p.find(ctx, name)
	if err != nil {
		return err
	}
	if uid != "" && (a == nil || a.Metadata.UID != uid) {
		if err := p.removeTopics(ctx, name, uid); err != nil {
			return err
		}
	}
	switch {
	case a == nil:
		return errors.Join(p.clean(ctx, name), p.removeUser(ctx, name))
	case a.Metadata.Deleting():
		return p.release(ctx, a)
	default:
		return p.converge(ctx, a, wait)
	}
}

// find reads an application, nil if there is none of that name.
func (p *Provisioner) find(ctx context.Context, name string) (*registry.Application, error) {
	a, err := p.Store.Application(ctx, name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case a.Metadata.Name != name: // found by another name
		return nil, nil
	}
	return a, nil
}

// converge makes what an application needs.
func (p *Provisioner) converge(ctx context.Context, a *registry.Application, wait bool) error {
	if err := p.keep(ctx, a); err != nil {
		return err
	}
	verdicts := map[string]verdict{}
	if p.Topics != nil {
		verdicts[registry.KafkaReady] = p.makeTopics(ctx, a).or(p.makeUser(ctx, a))
	}
	if p.Cluster != nil {
		verdicts[registry.KnativeReady] = p.makeObjects(ctx, a, wait)
	}
	for kind, v := range verdicts {
		if v.err != nil {
			p.Log.Warn("an application lacks something", zap.String("application", a.Metadata.Name), zap.String("condition", kind),
				zap.String("reason", v.reason), zap.Error(v.err))
		}
	}
	// What became of it is said even when the time is over.
	saying, cancel := context.WithTimeout(context.WithoutCancel(ctx), sayTimeout)
	defer cancel()
	return errors.Join(p.say(saying, a, verdicts), verdicts[registry.KafkaReady].retry(), verdicts[registry.KnativeReady].retry())
}

// finalizers are those that this installation puts on applications.
func (p *Provisioner) finalizers() (all []string) {
	if p.Topics != nil {
		all = append(all, finalizerKafka)
	}
	if p.Cluster != nil {
		all = append(all, finalizerKnative)
	}
	return all
}

// keep puts the finalizers on an application, before it is given anything.
func (p *Provisioner) keep(ctx context.Context, a *registry.Application) error {
	if len(p.missing(a)) == 0 {
		return nil
	}
	return p.update(ctx, a, func(stored *registry.Application) error {
		if !stored.Metadata.Deleting() {
			stored.Metadata.Finalizers = append(stored.Metadata.Finalizers, p.missing(stored)...)
		}
		return nil
	})
}

// missing are the finalizers that an application does not have yet.
func (p *Provisioner) missing(a *registry.Application) []string {
	return slices.DeleteFunc(p.finalizers(), func(f string) bool { return slices.Contains(a.Metadata.Finalizers, f) })
}

// release takes away what an application was given, and lets it go.
func (p *Provisioner) release(ctx context.Context, a *registry.Application) error {
	if err := p.clean(ctx, a.Metadata.Name); err != nil {
		return err
	}
	if err := errors.Join(p.removeTopics(ctx, a.Metadata.Name, a.Metadata.UID), p.removeUser(ctx, a.Metadata.Name)); err != nil {
		return err
	}
	return p.update(ctx, a, func(stored *registry.Application) error {
		stored.Metadata.Finalizers = slices.DeleteFunc(stored.Metadata.Finalizers, func(f string) bool { return slices.Contains(p.finalizers(), f) })
		return nil
	})
}

// update changes an application, if it still is the one that was read.
func (p *Provisioner) update(ctx context.Context, a *registry.Application, change func(*registry.Application) error) error {
	changes, err := p.Store.UpdateApplication(ctx, a.Metadata.Name, store.Expect{ApplicationUID: a.Metadata.UID}, change)
	p.Changes.Tell(ctx, changes)
	if errors.Is(err, registry.ErrNotFound) {
		return nil // its next event comes
	}
	return err
}
