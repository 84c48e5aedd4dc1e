//go:build integration

package presence

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"

	"github.com/fairlead/fairlead/internal/backoff"
)

// benchTracker is a process with the default configuration on a Redis of its own, and events that cost nothing.
func benchTracker(b *testing.B, url, name string) *Tracker {
	b.Helper()
	client := dial(url)
	b.Cleanup(func() { _ = client.Close() })
	t, err := New(DefaultConfig(), client, name, sink{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = t.Run(b.Context()) }()
	for t.Ready(b.Context()) != nil {
		backoff.Wait(b.Context(), time.Millisecond)
	}
	return t
}

// BenchmarkClaim measures a claim with its release, 64 devices at a time.
func BenchmarkClaim(b *testing.B) {
	server := neighbour.SharedRedis(b)
	t := benchTracker(b, server.Database(b), "claim")
	var n atomic.Int64
	b.SetParallelism(32)
	started := cpu()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		s := session(fmt.Sprintf("device-%d", n.Add(1)))
		for pb.Next() {
			l, err := t.Claim(context.Background(), s, nil, func() {})
			if err != nil {
				b.Error(err)
				return
			}
			l.Release(false)
		}
	})
	b.ReportMetric(float64((cpu()-started).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkCleanup measures how long the release of 20,000 devices of a dead process takes, without noticing its death.
func BenchmarkCleanup(b *testing.B) {
	const devices, at = 20_000, 64
	server := neighbour.SharedRedis(b)
	for b.Loop() {
		b.StopTimer()
		url, name := server.Database(b), fmt.Sprintf("cleanup%d", b.N)
		victim := benchTracker(b, url, name)
		var group sync.WaitGroup
		for w := range at {
			group.Go(func() {
				for n := w; n < devices; n += at {
					if _, err := victim.Claim(context.Background(), session(fmt.Sprintf("device-%d", n)), will("gone", "x"), func() {}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		group.Wait()
		survivor := benchTracker(b, url, name)
		ctx, keys := context.Background(), survivor.ledger.keys
		b.StartTimer()
		if err := survivor.ledger.leave(ctx, victim.process()); err != nil {
			b.Fatal(err)
		}
		for survivor.ledger.client.ZCard(ctx, keys.graves()).Val()+survivor.ledger.client.ZCard(ctx, keys.waiting()).Val() > 0 {
			backoff.Wait(ctx, 10*time.Millisecond)
		}
		victim.stop()
	}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
