package presence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/outcome"
)

func testDeath(t *testing.T, i *installation) {
	i.config.Life = mortal
	victim := i.process()
	const devices = 130 // more than are released at once
	for n := range devices {
		victim.connect(fmt.Sprintf("d%d", n), will("gone", "1"))
	}
	survivors := []*process{i.process(), i.process(), i.process()}
	survivors[0].connect("d0", nil)
	i.becomes("d0", "true gone=1 false true")
	mine := survivors[1].connect("mine", will("gone", "1"))
	victim.kill()
	for n := 1; n < devices; n++ {
		i.becomes(fmt.Sprintf("d%d", n), "true gone=1 false")
	}
	i.settles()
	for n := range devices {
		alternate(t, i.log.of(fmt.Sprintf("d%d", n)))
	}
	if got := i.log.words("d0"); got != "true gone=1 false true" {
		t.Errorf("a device that had been taken over: %s", got)
	}
	client := i.client()
	eventually(t, "the grave to be closed", func() bool {
		return client.ZCard(t.Context(), victim.ledger.keys.graves()).Val() == 0 &&
			client.Exists(t.Context(), victim.ledger.keys.held(victim.Tracker.process())).Val() == 0
	})
	if n := mine.losses.Load(); n != 0 || i.log.words("mine") != "true" {
		t.Errorf("a session of a living process: lost %d times, %s", n, i.log.words("mine"))
	}
}

// testAllDead: what nobody cleaned up after is done by the next process that comes. Locks of the dead are void.
func testAllDead(t *testing.T, i *installation) {
	i.config.Life = mortal
	i.config.ClaimWait = 10 * time.Millisecond
	victim := i.process()
	victim.connect("d", will("gone", "1"))
	i.log.setAway(true)
	victim.connect("e", nil)
	victim.kill()
	i.log.setAway(false)
	i.process()
	i.becomes("d", "true gone=1 false")
	eventually(t, "the other device to be disconnected", func() bool { return len(once(i.log.of("e"))) == 2 })
	alternate(t, once(i.log.of("e")))
	i.settles()
}

func testPaused(t *testing.T, i *installation) {
	i.config.Life = mortal
	paused, survivor := i.process(), i.process()
	a, b := paused.connect("a", will("gone", "1")), paused.connect("b", will("gone", "1"))
	i.settles()
	paused.barrier.closed.Store(true)
	i.becomes("a", "true gone=1 false")
	i.becomes("b", "true gone=1 false")
	// What it says of its sessions now comes too late.
	a.Release(true)
	c := survivor.connect("b", nil)
	if _, err := paused.try("c", nil); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("Claim without Redis: %v", err)
	}
	paused.barrier.closed.Store(false)
	eventually(t, "the session to be given up", func() bool { return b.losses.Load() == 1 })
	eventually(t, "the process to have nothing left", paused.forgotten)
	eventually(t, "the process to be ready again", func() bool { return paused.Ready(t.Context()) == nil })
	d := paused.connect("a", nil)
	d.Release(false)
	i.becomes("a", "true gone=1 false true false")
	c.Release(false)
	i.becomes("b", "true gone=1 false true false")
	i.settles()
	alternate(t, i.log.of("a"))
	alternate(t, i.log.of("b"))
	if n := a.losses.Load() + c.losses.Load() + d.losses.Load(); n != 0 {
		t.Errorf("lost was called %d times", n)
	}
}

// testPausedShortly: a process that was declared dead keeps what nobody has released yet.
func testPausedShortly(t *testing.T, i *installation) {
	p := i.process()
	c := p.connect("d", will("gone", "1"))
	i.settles()
	// Another one declares it dead, and cleans up later.
	name, keys := p.Tracker.process(), p.ledger.keys
	_, err := p.ledger.client.TxPipelined(t.Context(), func(tx redis.Pipeliner) error {
		tx.Set(t.Context(), keys.tombstone(name), "1", time.Hour)
		tx.HDel(t.Context(), keys.processes(), name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process to go on under another name", func() bool { return p.Tracker.process() != name && p.holds("d") })
	if err := p.ledger.client.ZAdd(t.Context(), keys.graves(), redis.Z{Member: name}).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the grave to be closed", func() bool { return p.ledger.client.ZCard(t.Context(), keys.graves()).Val() == 0 })
	if words := i.log.words("d"); words != "true" || c.losses.Load() != 0 {
		t.Errorf("%s, lost %d times", words, c.losses.Load())
	}
	c.Release(true)
	i.becomes("d", "true gone=1 false")
	eventually(t, "nothing to be left", p.forgotten)
}

func testClose(t *testing.T, i *installation) {
	closing, other := i.process(), i.process()
	a, b := closing.connect("a", will("gone", "1")), closing.connect("b", will("gone", "1"))
	a.Release(false)
	if err := closing.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if got := i.log.words("a"); got != "true false" {
		t.Errorf("a session that was released before: %s", got)
	}
	if got := i.log.words("b"); got != "true gone=1 false" {
		t.Errorf("a session that was still held: %s", got)
	}
	if a.losses.Load() != 0 || b.losses.Load() != 1 {
		t.Errorf("lost was called %d and %d times", a.losses.Load(), b.losses.Load())
	}
	closing.kill() // Run has ended by itself
	if _, err := closing.try("c", nil); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("Claim after Close: %v", err)
	}
	living := i.client().HKeys(t.Context(), closing.ledger.keys.processes()).Val()
	if len(living) != 1 || living[0] != other.Tracker.process() {
		t.Errorf("the living: %v", living)
	}
	i.settles()

	// Without Kafka what is released waits in Redis, and others store it.
	i.log.setAway(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := other.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	i.log.setAway(false)

	// Without Redis nothing can be written in time; the others notice. That the first event is stored may not be written
	// either, in which case it is stored again.
	last, survivor := i.process(), i.process()
	last.connect("e", nil)
	last.barrier.closed.Store(true)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := last.Close(ctx); err == nil {
		t.Error("Close without Redis succeeded")
	}
	last.barrier.closed.Store(false)
	if err := last.leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session to be ended by another process", func() bool { return words(once(i.log.of("e"))) == "true false" })
	if err := survivor.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// testCloseInAHurry: a process has no time left while an event is on its way to Kafka. It still tells what became of it, so that
// the others do not store it again.
func testCloseInAHurry(t *testing.T, i *installation) {
	closing := i.process()
	closing.part = time.Minute
	i.process()
	c := closing.connect("d", will("gone", "1"))
	reached, carryOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	i.log.setBefore(func() { once.Do(func() { close(reached); <-carryOn }) })
	c.Release(true)
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- closing.Close(ctx) }()
	<-closing.ctx.Done()
	close(carryOn)
	if err := <-closed; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	i.becomes("d", "true gone=1 false")
	i.settles()
	if got := i.log.words("d"); got != "true gone=1 false" {
		t.Errorf("in the end %q", got)
	}
}
