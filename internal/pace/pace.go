package pace

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	// look is the shortest time between two changes of the rate.
	look = 10 * time.Millisecond

	// slower and faster are by what a rate is multiplied after each look. It takes some 70 ms to the slowest, and 3 s back.
	slower = 0.8
	faster = 1.005

	// slowest is the part of the full rate that is given however late the process is.
	slowest = 0.2

	// maxTurn is the longest wait for a turn.
	maxTurn = 30 * time.Second

	// shortBurst is how much of the time without turns is made up for while the process is late.
	shortBurst = 10 * time.Millisecond
)

// ErrCrowded is the error of Pace.Wait when too many wait already.
var ErrCrowded = errors.New("too many wait for their turn")

// A Pace gives turns. It is safe for concurrent use.
type Pace struct {
	most      rate.Limit
	burst     int
	tolerated time.Duration
	limiter   *rate.Limiter
	waiting   atomic.Int64

	turn chan struct{} // held by who is next, who looks at what follows: a change of the rate counts for all who wait behind
	last time.Time     // when the rate was looked at
}

// New makes a pace of so many turns a second, and of so many at once after a quiet time, at least one. It gives fewer while the process
// is later than tolerated: a goroutine that can run waits for a core for longer.
func New(perSecond, burst int, tolerated time.Duration) *Pace {
	burst = max(1, burst)
	return &Pace{
		most: rate.Limit(perSecond), burst: burst, tolerated: tolerated,
		limiter: rate.NewLimiter(rate.Limit(perSecond), burst), turn: make(chan struct{}, 1),
	}
}

// Wait returns when it is the caller's turn, or with an error: that of ctx, or ErrCrowded.
func (p *Pace) Wait(ctx context.Context) error {
	defer p.waiting.Add(-1)
	if ahead := p.waiting.Add(1) - 1; float64(ahead) > float64(p.limiter.Limit())*maxTurn.Seconds() {
		return ErrCrowded
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	return p.next(ctx)
}

// next waits for the next turn, and looks how late it comes: who can run waits behind all others that can.
func (p *Pace) next(ctx context.Context) error {
	turn := p.limiter.Reserve()
	due := time.Now().Add(turn.Delay())
	if time.Until(due) <= 0 {
		runtime.Gosched()
	} else if !backoff.Wait(ctx, time.Until(due)) {
		turn.Cancel()
		return context.Cause(ctx)
	}
	p.adjust(time.Now(), time.Since(due))
	return nil
}

// adjust changes the rate after a turn that came so late.
func (p *Pace) adjust(now time.Time, late time.Duration) {
	since := now.Sub(p.last)
	if since < look {
		return
	}
	p.last = now
	if limit := p.limiter.Limit(); limit < p.most || late > p.tolerated {
		p.set(p.adjusted(limit, since, late))
	}
}

// adjusted is the rate after a turn that came so late, and a time since the one before.
func (p *Pace) adjusted(limit rate.Limit, since, late time.Duration) rate.Limit {
	if late > p.tolerated {
		return max(limit*slower, p.most*slowest)
	}
	return min(limit*rate.Limit(math.Pow(faster, float64(since/look))), p.most)
}

// set changes the rate. Below the full one hardly anything is made up for.
func (p *Pace) set(limit rate.Limit) {
	burst := p.burst
	if limit < p.most {
		burst = min(burst, 1+int(float64(limit)*shortBurst.Seconds()))
	}
	p.limiter.SetBurst(burst)
	p.limiter.SetLimit(limit)
}
