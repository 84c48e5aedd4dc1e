package presence

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// tallied waits until every process's tally in Redis is what its sessions add up to that hold devices there.
func (i *installation) tallied() {
	i.t.Helper()
	client, keys := i.client(), newKeyspace(i.name)
	eventually(i.t, "the tallies to be right", func() bool {
		sums := map[string]int64{}
		for _, key := range client.Keys(i.t.Context(), keys.holder("*")).Val() {
			h := client.HMGet(i.t.Context(), key, "p", "e").Val()
			process, _ := h[0].(string)
			text, _ := h[1].(string)
			if e, err := parseEpoch(text); err == nil {
				sums[process] += e.weight()
			}
		}
		for process, text := range client.HGetAll(i.t.Context(), keys.tallies()).Val() {
			if strconv.FormatInt(sums[process], 10) != text {
				return false
			}
			delete(sums, process)
		}
		return len(sums) == 0
	})
}

// testTallies: tallies are kept through all that happens to sessions, without being put right.
func testTallies(t *testing.T, i *installation) {
	i.config.Verify = 10 * time.Minute
	i.config.Life = mortal
	first, second, third := i.process(), i.process(), i.process()
	var all []*connection
	for n := range 40 {
		all = append(all, first.connect(fmt.Sprintf("d%d", n), will("gone", "1")))
	}
	i.tallied()
	for n, c := range all[:30] {
		switch n % 3 {
		case 0:
			second.connect(fmt.Sprintf("d%d", n), nil)
		case 1:
			first.connect(fmt.Sprintf("d%d", n), nil)
		default:
			c.Release(true)
		}
	}
	i.settles()
	i.tallied()
	i.forget()
	eventually(t, "all sessions to be registered again", func() bool { return i.holders() == 30 })
	i.tallied()
	first.kill()
	third.connect("d0", nil)
	third.connect("d1", nil)
	eventually(t, "the dead to be cleaned up after", func() bool {
		client, keys := i.client(), newKeyspace(i.name)
		return client.HLen(t.Context(), keys.processes()).Val() == 2 && client.ZCard(t.Context(), keys.graves()).Val() == 0
	})
	i.settles()
	i.tallied()
	for _, p := range []*process{second, third} {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if left := i.client().HGetAll(t.Context(), newKeyspace(i.name).tallies()).Val(); len(left) > 0 {
		t.Errorf("tallies are left: %v", left)
	}
}

// A comparisons counts the sessions that are compared one by one.
type comparisons struct {
	script string
	count  atomic.Int64
}

func (c *comparisons) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if a := command.Args(); strings.HasPrefix(command.Name(), "evalsha") && a[1] == c.script {
			c.count.Add(int64(a[2].(int)))
		}
		return next(ctx, command)
	}
}

func (c *comparisons) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *comparisons) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// testIdleComparison: as long as nothing happens, each session is compared in one round of many; when something has happened
// that the process was not told, the next round finds it.
func testIdleComparison(t *testing.T, i *installation) {
	i.config.Verify = 10 * time.Minute
	p := i.process()
	const devices = 150
	var all []*connection
	for n := range devices {
		all = append(all, p.connect(fmt.Sprintf("d%d", n), nil))
	}
	eventually(t, "the events to be known as stored", func() bool { return p.unstored() == 0 })
	c := &comparisons{script: p.ledger.checking.Hash()}
	p.ledger.client.(*redis.Client).AddHook(c)
	round := func(share int) {
		t.Helper()
		if err := p.verifyOnce(t.Context(), share, false); err != nil {
			t.Fatal(err)
		}
	}
	for share := range shares {
		round(share)
	}
	if n := c.count.Load(); n != devices {
		t.Errorf("in all rounds together %d comparisons of %d devices", n, devices)
	}

	taken := all[7]
	other := int(taken.epoch[0]+1) % shares
	i.takeUnheard(p, taken.Lease)
	round(other)
	if taken.losses.Load() != 1 {
		t.Error("a session that was taken over goes on")
	}
	eventually(t, "its end to be written", func() bool { return p.calm() })

	if err := p.ledger.client.HSet(t.Context(), p.ledger.keys.tallies(), p.process(), "17").Err(); err != nil {
		t.Fatal(err)
	}
	round(other)
	i.tallied()
}

// takeUnheard takes a device over as another process would, and tells nobody.
func (i *installation) takeUnheard(p *process, l *Lease) {
	i.t.Helper()
	q := i.process()
	mine, err := q.newLease(session(l.device.name), nil, func() {})
	if err != nil {
		i.t.Fatal(err)
	}
	k, m := q.ledger.keys, l.member()
	answer, err := q.ledger.run(i.t.Context(), q.ledger.claiming, "claiming a device",
		[]string{k.processes(), k.held(q.process()), k.holder(m), k.outbox(m), k.waiting(), k.recovering(), k.tallies()},
		q.process(), m, mine.epoch.String(), micros(time.Now()), mine.origin(), "", q.ledger.outbox, 0, "nowhere:", q.ledger.waiting)
	if err != nil || texts(answer)[0] != string(held) || texts(answer)[1] != p.process() {
		i.t.Fatalf("%v, %v", answer, err)
	}
}

// unstored is the number of sessions whose connection event is not known to be stored.
func (p *process) unstored() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.leases {
		if !l.stored {
			n++
		}
	}
	return n
}
