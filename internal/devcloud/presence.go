package devcloud

import (
	"context"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/registry"
)

// A savedPublisher has it on disk who is connected before an event says so: after a kill, the next start finds there whose
// sessions have ended.
type savedPublisher struct {
	next presence.Publisher
	save func() error
	fail func(error)
}

var _ presence.Publisher = (*savedPublisher)(nil)

// Publish saves, then stores the event. A disk that fails ends the process, which tells of the ends in time.
func (p *savedPublisher) Publish(ctx context.Context, from *auth.Session, as *registry.Device, m ingest.Message, done func(outcome.Result)) {
	if err := p.save(); err != nil {
		p.fail(err)
	}
	p.next.Publish(ctx, from, as, m, done)
}
