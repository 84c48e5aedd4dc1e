package auth

import (
	"context"
	"strconv"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func BenchmarkCachedDecision(b *testing.B) {
	cache := NewCache(DefaultCacheConfig(), newBelow(b))
	r := login("bcrypt", "bar")
	if _, err := cache.Authenticate(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	front := NewSteady(DefaultSteadyConfig(), cache)
	r.Remote = "192.0.2.7"
	run := func(name string, a Authenticator) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("cache", cache)
	run("steady", front)
	front.failures.fail(Request{Application: "x"})
	run("guarded", front)
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := front.Authenticate(context.Background(), r); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkFailures counts failures of senders that are new each time, as in an attack, until the table is full, and compares
// with a limiter of x/time/rate for each. What an entry takes is in B/op while the table still grows.
func BenchmarkFailures(b *testing.B) {
	c := DefaultSteadyConfig()
	c.Guarded = 1 << 22
	b.Run("counter", func(b *testing.B) {
		b.ReportAllocs()
		counter := newFailureCounter(c)
		for i := 0; b.Loop(); i++ {
			counter.fail(Request{Application: "app", Device: strconv.Itoa(i), Remote: "192.0.2.7"})
		}
	})
	b.Run("limiters", func(b *testing.B) {
		b.ReportAllocs()
		counter := newFailureCounter(c)
		limiters := newLRU[uint64, *rate.Limiter](c.Guarded)
		for i := 0; b.Loop(); i++ {
			r := Request{Application: "app", Device: strconv.Itoa(i), Remote: "192.0.2.7"}
			network, _ := networkOf(r.Remote)
			key := counter.key(r, network)
			limiter, ok := limiters.Get(key)
			if !ok {
				limiter = rate.NewLimiter(rate.Every(time.Minute/time.Duration(c.Failures)), c.Failures)
				limiters.Add(key, limiter)
			}
			limiter.Allow()
			limiter.Tokens()
		}
	})
}
