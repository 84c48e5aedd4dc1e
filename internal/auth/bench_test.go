package auth

import (
	"context"
	"testing"
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
