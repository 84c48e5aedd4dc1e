package auth

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turns hands out a number of slots to who waits for them, in turn by tenant: however many of one tenant wait, another's first
// is served soon. One tenant holds no more slots than its share. At the limit of all that wait, the tenant with the most gives
// up its last one for a tenant that has fewer.
type turns struct {
	mu      sync.Mutex
	free    int
	share   int
	limit   int
	waiting int
	held    map[string]int // of each tenant's share
	lines   []*line        // of tenants that wait, the next one first
}

// A line is those of one tenant who wait, the first one first.
type line struct {
	tenant  string
	waiters []*waiter
}

// A waiter hears once whether it has a slot.
type waiter struct{ answer chan bool }

func newTurns(slots, share, limit int) *turns {
	return &turns{free: slots, share: share, limit: limit, held: map[string]int{}}
}

// take takes a slot, and tells whether it got one in time.
func (t *turns) take(ctx context.Context, tenant string) bool {
	w, got := t.queue(tenant)
	if w == nil {
		return got
	}
	select {
	case got = <-w.answer:
		return got
	case <-ctx.Done():
	}
	if t.leave(tenant, w) {
		return false
	}
	return <-w.answer // it was decided in the same moment
}

// queue takes a free slot, or has somebody wait; w is nil if that is decided.
func (t *turns) queue(tenant string) (w *waiter, got bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 && t.held[tenant] < t.share {
		t.free--
		t.held[tenant]++
		return nil, true
	}
	if t.waiting >= t.limit && !t.displace(tenant) {
		return nil, false
	}
	own := t.line(tenant)
	if own == nil {
		own = &line{tenant: tenant}
		t.lines = append(t.lines, own)
	}
	w = &waiter{make(chan bool, 1)}
	own.waiters = append(own.waiters, w)
	t.waiting++
	return w, false
}

// give gives a slot back. If rest is not 0, its place in the tenant's share stays taken for that time.
func (t *turns) give(tenant string, rest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if rest > 0 {
		time.AfterFunc(rest, func() { t.rested(tenant) })
	} else {
		t.release(tenant)
	}
	t.hand(tenant)
}

// rested ends the rest of a tenant.
func (t *turns) rested(tenant string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(tenant)
	t.hand("")
}

func (t *turns) release(tenant string) {
	if t.held[tenant]--; t.held[tenant] == 0 {
		delete(t.held, tenant)
	}
}

// hand hands the free slots to who waits. The tenant that had one last goes after the others, so that who has just come does not
// wait for two of a tenant that never stops.
func (t *turns) hand(last string) {
	for t.free > 0 {
		i := slices.IndexFunc(t.lines, func(l *line) bool { return l.tenant != last && t.held[l.tenant] < t.share })
		if i < 0 {
			i = slices.IndexFunc(t.lines, func(l *line) bool { return t.held[l.tenant] < t.share })
		}
		if i < 0 {
			return
		}
		next := t.lines[i]
		w := next.waiters[0]
		t.lines = append(slices.Delete(t.lines, i, i+1), next)
		t.drop(next, w)
		t.free--
		t.held[next.tenant]++
		w.answer <- true
	}
}

// full tells whether one more of a tenant would be turned away now.
func (t *turns) full(tenant string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return (t.free == 0 || t.held[tenant] >= t.share) && t.waiting >= t.limit && !t.longer(t.longest(), tenant)
}

// displace makes room for one of a tenant, at the expense of one with a longer line.
func (t *turns) displace(tenant string) bool {
	longest := t.longest()
	if !t.longer(longest, tenant) {
		return false
	}
	last := longest.waiters[len(longest.waiters)-1]
	t.drop(longest, last)
	last.answer <- false
	return true
}

func (t *turns) longest() *line {
	if len(t.lines) == 0 {
		return nil
	}
	return slices.MaxFunc(t.lines, func(a, b *line) int { return len(a.waiters) - len(b.waiters) })
}

// longer tells whether a line stays at least as long as a tenant's own if one moves from there to here.
func (t *turns) longer(l *line, tenant string) bool {
	own := 0
	if line := t.line(tenant); line != nil {
		own = len(line.waiters)
	}
	return l != nil && len(l.waiters) > own+1
}

// leave takes a waiter out who has given up, and tells whether it was still there.
func (t *turns) leave(tenant string, w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.line(tenant)
	return own != nil && t.drop(own, w)
}

func (t *turns) drop(l *line, w *waiter) bool {
	i := slices.Index(l.waiters, w)
	if i < 0 {
		return false
	}
	l.waiters = slices.Delete(l.waiters, i, i+1)
	t.waiting--
	if len(l.waiters) == 0 {
		t.lines = slices.DeleteFunc(t.lines, func(x *line) bool { return x == l })
	}
	return true
}

func (t *turns) line(tenant string) *line {
	if i := slices.IndexFunc(t.lines, func(l *line) bool { return l.tenant == tenant }); i >= 0 {
		return t.lines[i]
	}
	return nil
}
