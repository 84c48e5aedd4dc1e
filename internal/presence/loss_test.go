package presence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func testOutage(t *testing.T, i *installation) {
	i.config.Life = mortal
	first, second := i.process(), i.process()
	a, b := first.connect("a", will("gone", "1")), second.connect("b", will("gone", "1"))
	for range 2 {
		first.barrier.closed.Store(true)
		second.barrier.closed.Store(true)
		eventually(t, "both to miss Redis", func() bool {
			return first.Ready(t.Context()) != nil && second.Ready(t.Context()) != nil
		})
		// One comes back a little earlier than the other.
		first.barrier.closed.Store(false)
		eventually(t, "the first to be ready", func() bool { return first.Ready(t.Context()) == nil })
		second.barrier.closed.Store(false)
		eventually(t, "the second to be ready", func() bool { return second.Ready(t.Context()) == nil })
	}
	a.Release(false)
	b.Release(false)
	i.becomes("a", "true false")
	i.becomes("b", "true false")
	if first.life != 0 || second.life != 0 {
		t.Error("a process was declared dead")
	}
}

// forget has Redis lose everything.
func (i *installation) forget() {
	i.t.Helper()
	if err := i.client().FlushDB(i.t.Context()).Err(); err != nil {
		i.t.Fatal(err)
	}
}

func testDataLoss(t *testing.T, i *installation) {
	first, second := i.process(), i.process()
	const devices = 120
	var all []*connection
	for n := range devices {
		all = append(all, first.connect(fmt.Sprintf("d%d", n), will("gone", "1")))
	}
	i.settles()
	i.forget()
	eventually(t, "all sessions to be registered again", func() bool { return i.holders() == devices })
	second.connect("d0", nil)
	i.becomes("d0", "true gone=1 false true")
	for n, c := range all[1:] {
		c.Release(n%2 == 0)
	}
	for n := range devices - 1 {
		i.becomes(fmt.Sprintf("d%d", n+1), map[bool]string{true: "true gone=1 false", false: "true false"}[n%2 == 0])
	}
	eventually(t, "nothing to be left", first.forgotten)
	for n := range devices {
		alternate(t, i.log.of(fmt.Sprintf("d%d", n)))
	}
	if n := all[0].losses.Load(); n != 1 {
		t.Errorf("lost was called %d times", n)
	}
}

// testDataLossAtTheEnd: ends that are queued while Redis is away are made known although Redis comes back empty.
func testDataLossAtTheEnd(t *testing.T, i *installation) {
	p := i.process()
	a, b := p.connect("a", will("gone", "1")), p.connect("b", will("gone", "1"))
	p.barrier.closed.Store(true)
	i.forget()
	a.Release(true)
	b.Release(false)
	eventually(t, "writing to fail", func() bool { return p.barrier.refused.Load() > 10 })
	p.barrier.closed.Store(false)
	i.becomes("a", "true gone=1 false")
	i.becomes("b", "true false")
	eventually(t, "nothing to be left", p.forgotten)
}

// testDataLossWithoutKafka: connection events that were lost in outboxes are queued again.
func testDataLossWithoutKafka(t *testing.T, i *installation) {
	i.config.ClaimWait = 10 * time.Millisecond
	p := i.process()
	i.log.setAway(true)
	c := p.connect("d", nil)
	i.forget()
	eventually(t, "the session to be registered again", func() bool { return p.holds("d") })
	i.log.setAway(false)
	i.becomes("d", "true")
	if e := i.log.of("d")[0]; e.id != c.epoch.id(connected) || !e.time.Equal(time.UnixMicro(c.begun)) {
		t.Errorf("event %v", e)
	}
	c.Release(false)
	i.becomes("d", "true false")
}

// testRecovery: a claim right after a loss waits until the others have registered their sessions.
func testRecovery(t *testing.T, i *installation) {
	i.config.Heartbeat = time.Second // the others have three of them, also where the machine is busy
	first, second := i.process(), i.process()
	a := first.connect("d", will("gone", "1"))
	for range 2 {
		i.forget()
		b := second.connect("d", will("gone", "1"))
		eventually(t, "the first to be told", func() bool { return a.losses.Load() == 1 })
		first, second, a = second, first, b
	}
	i.settles()
	alternate(t, i.log.of("d"))
	if words := i.log.words("d"); words != "true"+strings.Repeat(" gone=1 false true", 2) {
		t.Errorf("%s", words)
	}
}

func testMissedNews(t *testing.T, i *installation) {
	p := i.process()
	a, b := p.connect("a", will("gone", "1")), p.connect("b", nil)
	// Another process, of which this one hears nothing, takes both over and leaves one again.
	for _, device := range []string{"a", "b"} {
		l, err := p.newLease(session(device), nil, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.ledger.client.HSet(t.Context(), p.ledger.keys.holder(l.member()), "p", "OTHER-0", "e", l.epoch.String()).Err(); err != nil {
			t.Fatal(err)
		}
		if device == "b" {
			if err := p.ledger.client.Del(t.Context(), p.ledger.keys.holder(l.member())).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "both to be lost", func() bool { return a.losses.Load() == 1 && b.losses.Load() == 1 })
	eventually(t, "nothing to be left", p.forgotten)
	if i.log.words("a") != "true" || i.log.words("b") != "true" {
		t.Errorf("a: %s, b: %s", i.log.words("a"), i.log.words("b"))
	}
}

func testLostAnswer(t *testing.T, i *installation) {
	p := i.process()
	// Nobody stores events while the answer is lost.
	p.barrier.mute.Store(true)
	_, err := p.try("d", will("gone", "1"))
	p.barrier.mute.Store(false)
	if outcome.Of(err) != outcome.Unavailable {
		t.Fatalf("Claim: %v", err)
	}
	i.becomes("d", "true false")
	eventually(t, "nothing to be left", p.forgotten)

	// A claim that Redis executes after the process has given it up.
	l, err := p.newLease(session("e"), will("gone", "1"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ledger.claim(t.Context(), p.begin(l), l); err != nil {
		t.Fatal(err)
	}
	i.becomes("e", "true false")
	eventually(t, "nothing to be left", p.forgotten)
	i.settles()
}

func testLostEnd(t *testing.T, i *installation) {
	p := i.process()
	a := p.connect("a", will("gone", "1"))
	p.barrier.mute.Store(true)
	a.Release(true)
	client := i.client()
	eventually(t, "the end to be written", func() bool {
		return !client.HExists(t.Context(), p.ledger.keys.holder(member("app", "a")), "e").Val()
	})
	p.barrier.mute.Store(false)
	i.becomes("a", "true gone=1 false")
	eventually(t, "nothing to be left", p.forgotten)
	i.settles()
	i.becomes("a", "true gone=1 false")
}
