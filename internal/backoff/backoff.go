package backoff

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// spread is how far a pause differs from its length by chance, as a part of it.
const spread = 1. / 3

// Pauses are the pauses between attempts. They are not safe for concurrent use.
type Pauses struct{ exponential backoff.ExponentialBackOff }

// New makes pauses that grow from about first to longest. None is longer than longest.
func New(first, longest time.Duration) *Pauses {
	most := time.Duration(float64(longest) / (1 + spread))
	p := &Pauses{backoff.ExponentialBackOff{
		InitialInterval:     min(first, most),
		MaxInterval:         most,
		Multiplier:          2,
		RandomizationFactor: spread,
	}}
	p.Reset()
	return p
}

// Next is how long to wait after one more failure.
func (p *Pauses) Next() time.Duration { return p.exponential.NextBackOff() }

// Reset begins anew, after a success.
func (p *Pauses) Reset() { p.exponential.Reset() }

// Wait waits after one more failure, and tells whether ctx still goes on.
func (p *Pauses) Wait(ctx context.Context) bool { return Wait(ctx, p.Next()) }

// Wait waits for a time, and tells whether ctx still goes on.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
