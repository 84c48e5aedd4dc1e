package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/registry"
)

const (
	// lookAgain is the pause between looks at objects that are waited for.
	lookAgain = 300 * time.Millisecond
	// sayTimeout bounds writing down what became of an application.
	sayTimeout = 3 * time.Second
	// longDeletion is how long a Trigger at the Broker for all events may take to go until others no longer wait for it.
	longDeletion = time.Minute
)

// makeObjects gives an application its objects and takes away those that it does not need. One that cannot be made keeps none of
// the others from being made.
func (p *Provisioner) makeObjects(ctx context.Context, a *registry.Application, wait bool) verdict {
	wished, problem := Objects(a, &p.settings)
	result := verdict{}
	if problem != nil {
		result = verdict{reason: reasonInvalid, err: problem}
	}
	surplus, err := p.objectsFor(ctx, a.Metadata.Name)
	if err != nil {
		return result.or(of(err))
	}
	applied := make([]kube.Object, 0, len(wished))
	for _, o := range wished {
		_, ours := surplus[o.String()]
		made, v := p.makeObject(ctx, o, ours)
		result = result.or(v)
		if v.err == nil {
			applied = append(applied, made)
		}
		delete(surplus, o.String())
		if o.Kind() != brokerKind || ours || v.err == nil {
			continue
		}
		// Triggers might read the Broker of somebody else. Where it is certain that there is one, those from before have to go.
		if v.reason != reasonTaken {
			return result
		}
		break
	}
	for _, o := range surplus {
		result = result.or(of(p.remove(ctx, o)))
	}
	return result.or(p.await(ctx, applied, wait))
}

// makeObject applies an object, unless somebody else has one of its name.
func (p *Provisioner) makeObject(ctx context.Context, o kube.Object, ours bool) (kube.Object, verdict) {
	if !ours {
		there, err := p.Cluster.Get(ctx, o.Kind(), o.Name())
		switch {
		case err == nil && there.Label(labelApplication) != o.Label(labelApplication):
			return nil, verdict{reason: reasonTaken, err: fmt.Errorf("the %v in namespace %s belongs to somebody else: delete or rename it", o, p.Cluster.Namespace())}
		case err != nil && !kube.NotFound(err):
			return nil, of(err)
		}
	}
	made, err := p.Cluster.Apply(ctx, o)
	if err == nil && made.Deleting() {
		err = fmt.Errorf("an earlier %v is still being deleted", o)
	}
	return made, of(err)
}

// objectsFor are the objects that an application was given, by kind and name.
func (p *Provisioner) objectsFor(ctx context.Context, name string) (map[string]kube.Object, error) {
	found := map[string]kube.Object{}
	for _, k := range kinds {
		err := p.Cluster.List(ctx, k, labelApplication+"="+baseName(name), func(page []kube.Object) error {
			for _, o := range page {
				found[o.String()] = o
			}
			return nil
		})
		if err != nil && !errors.Is(err, kube.ErrNoKind) {
			return nil, err
		}
	}
	return found, nil
}

// await waits until objects are ready, or only looks whether they are.
func (p *Provisioner) await(ctx context.Context, objects []kube.Object, wait bool) (v verdict) {
	deadline := time.Now().Add(p.settings.Wait)
	for _, o := range objects {
		for o.Kind() != eventTypeKind {
			v = readiness(o)
			if v.err == nil {
				break
			}
			if !wait || time.Now().After(deadline) || !backoff.Wait(ctx, lookAgain) {
				return v
			}
			again, err := p.Cluster.Get(ctx, o.Kind(), o.Name())
			if err != nil {
				return of(err)
			}
			o = again
		}
	}
	return verdict{}
}

// readiness is what an object says of itself.
func readiness(o kube.Object) verdict {
	ready, ok := o.Condition("Ready")
	switch {
	case !ok:
		return verdict{reason: reasonNotReady, err: fmt.Errorf("%v has no condition Ready yet; does the controller of its kind run?", o)}
	case ready.Status == "True":
		return verdict{}
	default:
		return verdict{reason: reasonNotReady, err: fmt.Errorf("%v is not ready: %s", o, cmp.Or(ready.Message, ready.Reason, "it does not say why"))}
	}
}

// clean deletes the objects that an application was given, and waits until they are gone.
func (p *Provisioner) clean(ctx context.Context, name string) error {
	if p.Cluster == nil {
		return nil
	}
	for {
		left, err := p.objectsFor(ctx, name)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, o := range left {
			if o.Deleting() {
				continue
			}
			if err := p.remove(ctx, o); err != nil {
				return err
			}
		}
		if left, err = p.objectsFor(ctx, name); err != nil || len(left) == 0 {
			return err
		}
		if !backoff.Wait(ctx, lookAgain) {
			return fmt.Errorf("%d objects of the application %q are still being deleted", len(left), name)
		}
	}
}

// remove deletes an object. Of the Triggers at the Broker for all events one is deleted after the other, each with its Subscription: of
// Subscriptions that end at the same time, Knative leaves some in the channel of a Broker of channels (knative/eventing, issue 6636), which
// then can deliver no event to all of its subscribers.
func (p *Provisioner) remove(ctx context.Context, o kube.Object) error {
	if !p.feeds(o) {
		return p.Cluster.Delete(ctx, o)
	}
	return p.Store.Exclusive(ctx, "Triggers of "+p.settings.Broker.Source, func(ctx context.Context) error { return p.removeFeed(ctx, o) })
}

// feeds tells whether an object is a Trigger at the Broker for all events.
func (p *Provisioner) feeds(o kube.Object) bool {
	source := p.settings.Broker.Source
	return source != "" && o.Kind() == triggerKind && o.Text("spec", "broker") == source
}

// removeFeed deletes a Trigger when those are gone that another process had begun to delete before it ended.
func (p *Provisioner) removeFeed(ctx context.Context, o kube.Object) error {
	leaving, err := p.leavingFeeds(ctx)
	if err != nil {
		return err
	}
	for _, before := range leaving {
		if err := p.gone(ctx, before); err != nil {
			return err
		}
	}
	if err := p.Cluster.DeleteWithDependents(ctx, o); err != nil {
		return err
	}
	return p.gone(ctx, o)
}

// leavingFeeds are the Triggers at the Broker for all events that are being deleted. One that has been for long is kept by somebody, and
// must not keep others.
func (p *Provisioner) leavingFeeds(ctx context.Context) (leaving []kube.Object, err error) {
	err = p.Cluster.List(ctx, triggerKind, labelApplication, func(page []kube.Object) error {
		for _, o := range page {
			if since, deleting := o.Deleted(); deleting && p.feeds(o) && time.Since(since) < longDeletion {
				leaving = append(leaving, o)
			}
		}
		return nil
	})
	return leaving, err
}

// gone waits until an object that was deleted is there no longer.
func (p *Provisioner) gone(ctx context.Context, o kube.Object) error {
	for {
		there, err := p.Cluster.Get(ctx, o.Kind(), o.Name())
		switch {
		case kube.NotFound(err) || err == nil && there.UID() != o.UID():
			return nil
		case err != nil:
			return err
		case !backoff.Wait(ctx, lookAgain):
			return fmt.Errorf("the %v is still being deleted", o)
		}
	}
}
