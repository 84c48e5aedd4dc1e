package presence

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// BenchmarkMemory measures what one session without a will costs a process, without the registry's documents.
func BenchmarkMemory(b *testing.B) {
	const sessions = 20_000
	list := make([]*auth.Session, sessions)
	for n := range list {
		list[n] = session(fmt.Sprintf("device-%d", n))
	}
	for b.Loop() {
		t := &Tracker{config: DefaultConfig(), leases: map[epoch]*Lease{}, heart: newHeart(DefaultConfig().Life)}
		before := heap()
		for _, s := range list {
			l, err := t.newLease(s, nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := t.admit(l); err != nil {
				b.Fatal(err)
			}
			l.state, l.ready = holding, nil
		}
		b.ReportMetric(float64(heap()-before)/sessions, "B/session")
		runtime.KeepAlive(t)
	}
	runtime.KeepAlive(list)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A sink stores nothing.
type sink struct{}

func (sink) Publish(_ context.Context, _ *auth.Session, _ *registry.Device, _ ingest.Message, done func(outcome.Result)) {
	done(outcome.Result{Outcome: outcome.Accepted})
}
