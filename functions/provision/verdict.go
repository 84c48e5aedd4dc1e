package provision

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/topics"
)

// Reasons of conditions that are not True.
const (
	reasonRefused     = "Refused"         // Kafka or the cluster will not have it as it is
	reasonTaken       = "NameTaken"       // somebody else has an object of that name
	reasonInvalid     = "InvalidEndpoint" // spec.knative cannot be used
	reasonNotReady    = "NotReady"        // an object is there and does not work yet
	reasonUnavailable = "Unavailable"     // Kafka or the cluster cannot be reached
)

// A verdict is what became of one half of the work on an application. The zero value is success.
type verdict struct {
	reason string
	err    error
	again  bool // another attempt may end otherwise
}

// of judges an error: whether it is there to stay.
func of(err error) verdict {
	switch {
	case err == nil:
		return verdict{}
	case kube.Refused(err) || topics.Refused(err):
		return verdict{reason: reasonRefused, err: err}
	default:
		return verdict{reason: reasonUnavailable, err: err, again: true}
	}
}

// or is this verdict, unless it is success or only a matter of time and the other one is not. If either is worth another attempt,
// so is what comes out.
func (v verdict) or(other verdict) verdict {
	again := v.again || other.again
	if v.err == nil || other.err != nil && v.passes() && !other.passes() {
		v = other
	}
	v.again = again
	return v
}

// passes tells whether the problem is expected to go away by itself.
func (v verdict) passes() bool { return v.reason == reasonUnavailable || v.reason == reasonNotReady }

// condition is what the verdict comes to.
func (v verdict) condition(kind string) registry.Condition {
	c := registry.Condition{Type: kind, Status: registry.True}
	if v.err == nil {
		return c
	}
	c.Status, c.Reason, c.Message = registry.False, v.reason, v.err.Error()
	if v.passes() {
		c.Status = registry.Unknown
	}
	return c
}

// retry is the error that has the work done again, nil if that would change nothing.
func (v verdict) retry() error {
	if v.again {
		return v.err
	}
	return nil
}

// set puts what became of the work into conditions. An outage says nothing of what was ready before it.
func set(all registry.Conditions, kind string, v verdict, now time.Time) registry.Conditions {
	before, _ := all.Find(kind)
	if v.reason == reasonUnavailable && before.Status == registry.True {
		return all
	}
	return all.With(v.condition(kind), now)
}

// say writes the verdicts into the status of an application, if it still is the one that was worked on.
func (p *Provisioner) say(ctx context.Context, a *registry.Application, verdicts map[string]verdict) error {
	now := time.Now()
	if next, err := p.status(a, a.Metadata.Generation, verdicts, now); err != nil || sameStatus(next, a.Status) {
		return err
	}
	return p.update(ctx, a, func(stored *registry.Application) (err error) {
		stored.Status, err = p.status(stored, a.Metadata.Generation, verdicts, now)
		return err
	})
}

// judged are the conditions of an application with what the verdicts say.
func judged(a *registry.Application, verdicts map[string]verdict, now time.Time) registry.Conditions {
	all := conditionsOf(a)
	for _, kind := range []string{registry.KafkaReady, registry.KnativeReady} {
		if v, ok := verdicts[kind]; ok {
			all = set(all, kind, v, now)
		} else {
			all = all.Without(kind)
		}
	}
	return all.Aggregate(now)
}

// conditionsOf are the conditions of an application, none if somebody has spoilt them.
func conditionsOf(a *registry.Application) registry.Conditions {
	all, err := a.Status.Conditions()
	if err != nil {
		return nil
	}
	return all
}
