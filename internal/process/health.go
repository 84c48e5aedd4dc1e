package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits of log lines and health checks.
const (
	samplerTick       = time.Second
	samplerFirst      = 100
	samplerThereafter = 100

	checkTimeout    = time.Second            // of one round of checks
	checkAge        = 500 * time.Millisecond // for which a result serves further probes
	firstFailureAge = 10 * time.Millisecond  // for which a failure does after a success or the start; it doubles with each in a row
)

// A Check tells whether a neighbour can be reached.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Health runs the checks of a process. Probes that come close together share one round, so that a storm of them costs
// the neighbours nothing. A process that starts is often not ready at its first probe and is a moment later.
type Health struct {
	mu     sync.Mutex
	checks []Check
	last   error
	until  time.Time     // when last is too old to serve
	age    time.Duration // for which the next failure serves
}

// NewHealth makes a Health of checks that must all succeed.
func NewHealth(checks ...Check) *Health { return &Health{checks: checks, age: firstFailureAge} }

// Add adds a check, which the next probe asks.
func (h *Health) Add(c Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, c)
	h.until = time.Time{}
}

// Ready runs all checks at once and joins what fails.
func (h *Health) Ready(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().Before(h.until) {
		return h.last
	}
	h.last = h.run(context.WithoutCancel(ctx))
	age := checkAge
	if h.last == nil {
		h.age = firstFailureAge
	} else {
		age = h.age
		h.age = min(2*h.age, checkAge)
	}
	h.until = time.Now().Add(age)
	return h.last
}

func (h *Health) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	problems := make([]error, len(h.checks))
	var wait sync.WaitGroup
	for i, check := range h.checks {
		wait.Go(func() {
			if err := check.Run(ctx); err != nil {
				problems[i] = fmt.Errorf("%s: %w", check.Name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(problems...)
}
