package provision

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/topics"
)

// makeTopics makes the topics of an application.
func (p *Provisioner) makeTopics(ctx context.Context, a *registry.Application) verdict {
	v := of(p.Topics.Ensure(ctx, a.Metadata.Name, a.Metadata.UID, topics.Events))
	if p.Cluster != nil && p.settings.DeadLetters.Sink == kafkaSink {
		v = v.or(of(p.Topics.Ensure(ctx, a.Metadata.Name, a.Metadata.UID, topics.DeadLetters)))
	}
	return v
}

// removeTopics deletes the topics that were made for an application. What Kafka will never delete is left.
func (p *Provisioner) removeTopics(ctx context.Context, name, uid string) error {
	if p.Topics == nil {
		return nil
	}
	var problems []error
	for _, purpose := range []topics.Purpose{topics.DeadLetters, topics.Events} {
		problems = append(problems, of(p.Topics.Remove(ctx, name, uid, purpose)).retry())
	}
	return errors.Join(problems...)
}
