package presence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

// behaviours are what must hold on every Redis. The function makes the URL of an empty one.
func behaviours(t *testing.T, url func(*testing.T) string) {
	tests := []struct {
		name string
		run  func(*testing.T, *installation)
	}{
		{"a session begins and ends", testSession},
		{"a will is published unless the session ends normally", testWill},
		{"a device is taken over", testTakeover},
		{"claims of all processes are in one order", testConcurrentClaims},
		{"another process stores what it was busy with", testStoredElsewhere},
		{"events wait while Kafka is away", testKafkaAway},
		{"the outbox is bounded", testOutbox},
		{"what can never be stored makes way", testGivenUp},
		{"the dead are cleaned up after, once", testDeath},
		{"all are dead and one comes", testAllDead},
		{"who was paused gives up what is no longer his", testPaused},
		{"who was paused keeps what is still his", testPausedShortly},
		{"an outage of Redis buries nobody", testOutage},
		{"Redis loses its data", testDataLoss},
		{"Redis loses its data while sessions end", testDataLossAtTheEnd},
		{"Redis loses its data and Kafka is away", testDataLossWithoutKafka},
		{"nobody claims while sessions are registered again", testRecovery},
		{"lost news are found out", testMissedNews},
		{"a claim whose answer is lost is taken back", testLostAnswer},
		{"an end whose answer is lost is written once", testLostEnd},
		{"a process closes", testClose},
		{"bounds refuse", testBounds},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // most of the time they wait
			test.run(t, newInstallation(t, url(t)))
		})
	}
}

func testSession(t *testing.T, i *installation) {
	p := i.process()
	before := time.Now().Truncate(time.Microsecond)
	c := p.connect("dev 1/ü:%", nil)
	events := i.log.of("dev 1/ü:%")
	if len(events) != 1 || events[0].what != "true" || events[0].application != "app" {
		t.Fatalf("after Claim: %v", events)
	}
	if p.held() != 1 || i.holders() != 1 {
		t.Errorf("%d sessions, %d holders", p.held(), i.holders())
	}
	c.Release(true)
	c.Release(true)
	i.becomes("dev 1/ü:%", "true false")
	i.settles()
	events = i.log.of("dev 1/ü:%")
	alternate(t, events)
	if events[0].time.Before(before) || events[1].time.After(time.Now()) {
		t.Errorf("times %v", events)
	}
	if p.held() != 0 || i.holders() != 0 {
		t.Errorf("%d sessions, %d holders", p.held(), i.holders())
	}
	if n := c.losses.Load(); n != 0 {
		t.Errorf("lost was called %d times", n)
	}
	p.connect("dev 1/ü:%", nil)
	i.becomes("dev 1/ü:%", "true false true")
	alternate(t, i.log.of("dev 1/ü:%"))
}

func testWill(t *testing.T, i *installation) {
	p := i.process()
	p.connect("a", will("gone", "1")).Release(true)
	i.becomes("a", "true gone=1 false")
	p.connect("b", will("gone", "1")).Release(false)
	i.becomes("b", "true false")
	// It is the caller's memory.
	w := will("gone", "secret")
	c := p.connect("c", w)
	clear(w.Payload)
	c.Release(true)
	i.becomes("c", "true gone=secret false")
	p.connect("d", &Will{Topic: "t", ContentType: "application/x", Payload: []byte("\x00\xff\n")}).Release(true)
	i.becomes("d", "true t=\x00\xff\n false")
	p.connect("e", &Will{Topic: "t"}).Release(true)
	i.becomes("e", "true t= false")
	for _, device := range []string{"a", "b", "c", "d", "e"} {
		alternate(t, i.log.of(device))
	}
}

func testTakeover(t *testing.T, i *installation) {
	first, second := i.process(), i.process()
	a := first.connect("d", will("gone", "a"))
	b := second.connect("d", will("gone", "b"))
	i.becomes("d", "true gone=a false true")
	eventually(t, "the first session to be told", func() bool { return a.losses.Load() == 1 })
	a.Release(true) // of an old epoch: nothing
	c := second.connect("d", nil)
	i.becomes("d", "true gone=a false true gone=b false true")
	eventually(t, "the second session to be told", func() bool { return b.losses.Load() == 1 })
	b.Release(true)
	e := first.connect("d", nil)
	eventually(t, "the third session to be told", func() bool { return c.losses.Load() == 1 })
	e.Release(true)
	const all = "true gone=a false true gone=b false true false true false"
	i.becomes("d", all)
	i.settles()
	eventually(t, "the old sessions to be forgotten", func() bool {
		return first.forgotten() && second.forgotten()
	})
	if got := i.log.words("d"); got != all {
		t.Errorf("in the end %q", got)
	}
	alternate(t, i.log.of("d"))
	for _, c := range []*connection{a, b, c} {
		if n := c.losses.Load(); n != 1 {
			t.Errorf("lost was called %d times", n)
		}
	}
	if n := e.losses.Load(); n != 0 {
		t.Errorf("lost was called %d times for a released session", n)
	}
}

// forgotten tells whether a process has nothing left of any session, in memory and in Redis.
func (p *process) forgotten() bool {
	claims, err := p.ledger.claims(p.t.Context(), p.Tracker.process())
	p.mu.Lock()
	defer p.mu.Unlock()
	return err == nil && claims == 0 && len(p.leases) == 0 && p.willBytes == 0
}

// testConcurrentClaims has many connections of few devices come and go in several processes, each with a will that names
// it, and looks at what was stored.
func testConcurrentClaims(t *testing.T, i *installation) {
	i.config.Outbox = 4096 // of so many connections at once, none gives way
	processes := []*process{i.process(), i.process(), i.process()}
	const devices, workers, rounds = 3, 12, 40
	var group sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]int{}
	for w := range workers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			var open []*connection
			for r := range rounds {
				device := fmt.Sprintf("d%d", random.IntN(devices))
				c, err := processes[random.IntN(len(processes))].try(device, will("w", fmt.Sprintf("%d-%d", w, r)))
				if err != nil {
					// Somebody was faster; that is what the gateway tells the device.
					if outcome.Of(err) != outcome.Unavailable {
						t.Errorf("Claim: %v", err)
					}
				} else {
					open = append(open, c)
				}
				mu.Lock()
				taken[device]++
				mu.Unlock()
				if len(open) > random.IntN(4) {
					n := random.IntN(len(open))
					open[n].Release(random.IntN(2) == 0)
					open = append(open[:n], open[n+1:]...)
				}
			}
			for _, c := range open {
				c.Release(true)
			}
		})
	}
	group.Wait()
	eventually(t, "all sessions to be forgotten", func() bool {
		return processes[0].forgotten() && processes[1].forgotten() && processes[2].forgotten()
	})
	i.settles()
	if n := i.holders(); n != 0 {
		t.Errorf("%d devices are still held", n)
	}
	for d := range devices {
		events := i.log.of(fmt.Sprintf("d%d", d))
		alternate(t, events)
		transitions := 0
		for _, e := range events {
			if !strings.Contains(e.what, "=") {
				transitions++
			}
		}
		if want := 2 * taken[fmt.Sprintf("d%d", d)]; transitions != want {
			t.Errorf("d%d: %d transitions, want %d", d, transitions, want)
		}
	}
}

// testStoredElsewhere: while one process stores events of a device, what another one adds is stored by the first, which
// tells the second.
func testStoredElsewhere(t *testing.T, i *installation) {
	first, second := i.process(), i.process()
	reached, carryOn := make(chan struct{}), make(chan struct{})
	var gate sync.Once
	i.log.setBefore(func() { gate.Do(func() { close(reached); <-carryOn }) })
	go func() { _, _ = first.try("d", nil) }()
	<-reached
	admitted := make(chan *connection)
	go func() { admitted <- second.connect("d", nil) }()
	eventually(t, "the second session to hold the device", func() bool { return second.holds("d") })
	select {
	case <-admitted:
		t.Error("a device was admitted before its event was stored")
	default:
	}
	close(carryOn)
	(<-admitted).Release(false)
	i.becomes("d", "true false true false")
}

// holds tells whether a process holds a device, as Redis knows it.
func (p *process) holds(device string) bool {
	owner := p.ledger.client.HGet(p.t.Context(), p.ledger.keys.holder(member("app", device)), "p").Val()
	return owner == p.Tracker.process()
}

func testKafkaAway(t *testing.T, i *installation) {
	i.config.ClaimWait = 50 * time.Millisecond
	p, other := i.process(), i.process()
	i.log.setAway(true)
	a := p.connect("d", will("gone", "1"))
	b := other.connect("d", nil)
	eventually(t, "the first session to be told", func() bool { return a.losses.Load() == 1 })
	b.Release(false)
	p.connect("e", nil)
	eventually(t, "storing to be tried again", func() bool {
		i.log.mu.Lock()
		defer i.log.mu.Unlock()
		return i.log.asked > 10
	})
	if n := i.log.count(); n != 0 {
		t.Fatalf("%d events were stored", n)
	}
	eventually(t, "the devices with waiting events to be counted", func() bool { return p.heart.waiting.Load() == 2 })
	i.log.setAway(false)
	i.becomes("d", "true gone=1 false true false")
	i.becomes("e", "true")
	i.settles()
	alternate(t, i.log.of("d"))
	// The event happened when it happened.
	if e := i.log.of("d"); e[0].time.After(time.UnixMicro(a.begun)) {
		t.Errorf("connected at %v, stored as of %v", time.UnixMicro(a.begun), e[0].time)
	}
}

func testOutbox(t *testing.T, i *installation) {
	i.config.ClaimWait = 10 * time.Millisecond
	i.config.Outbox = 32
	p := i.process()
	i.log.setAway(true)
	outbox := p.ledger.keys.outbox(member("app", "d"))
	const rounds = 60
	for n := range rounds {
		p.connect("d", will("gone", fmt.Sprint(n))).Release(n%2 == 0)
		if n%10 == 9 {
			p.connect("d", will("gone", "taken over"))
		}
		eventually(t, "the end to be written", p.calm)
		if length := p.ledger.client.LLen(t.Context(), outbox).Val(); length > int64(i.config.Outbox) {
			t.Fatalf("%d events wait", length)
		}
	}
	last := p.connect("d", nil)
	i.log.setAway(false)
	i.settles()
	events := i.log.of("d")
	alternate(t, events)
	if len(events) > i.config.Outbox || len(events) < i.config.Outbox/2 {
		t.Errorf("%d events were stored", len(events))
	}
	if end := events[len(events)-1]; end.what != "true" || end.id != last.epoch.id(connected) {
		t.Errorf("the last event is %v", end)
	}
	if first := events[0]; first.what != "true" {
		t.Errorf("the first event is %v", first)
	}
}

// calm tells whether every end is written.
func (p *process) calm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.leases) == p.sessions
}

func testGivenUp(t *testing.T, i *installation) {
	p := i.process()
	i.log.setAnswer(func(m ingest.Message) outcome.Outcome {
		if m.Channel == "bad" {
			return outcome.Rejected
		}
		return outcome.Accepted
	})
	p.connect("d", will("bad", "1")).Release(true)
	i.becomes("d", "true false")

	// Events that nobody can read, and events that are too old.
	keys, m := p.ledger.keys, member("app", "e")
	long := micros(time.Now().Add(-i.config.Keep - time.Hour))
	for _, text := range []string{"2 x", "1 t " + newEpoch().String() + " " + long + "\n{}"} {
		if err := p.ledger.client.RPush(t.Context(), keys.outbox(m), text).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.connect("e", nil)
	i.becomes("e", "true")
	i.settles()
}

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
	paused.gate.closed.Store(true)
	i.becomes("a", "true gone=1 false")
	i.becomes("b", "true gone=1 false")
	// What it says of its sessions now comes too late.
	a.Release(true)
	c := survivor.connect("b", nil)
	if _, err := paused.try("c", nil); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("Claim without Redis: %v", err)
	}
	paused.gate.closed.Store(false)
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

func testOutage(t *testing.T, i *installation) {
	i.config.Life = mortal
	first, second := i.process(), i.process()
	a, b := first.connect("a", will("gone", "1")), second.connect("b", will("gone", "1"))
	for range 2 {
		first.gate.closed.Store(true)
		second.gate.closed.Store(true)
		eventually(t, "both to miss Redis", func() bool {
			return first.Ready(t.Context()) != nil && second.Ready(t.Context()) != nil
		})
		// One comes back a little earlier than the other.
		first.gate.closed.Store(false)
		eventually(t, "the first to be ready", func() bool { return first.Ready(t.Context()) == nil })
		second.gate.closed.Store(false)
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
	p.gate.closed.Store(true)
	i.forget()
	a.Release(true)
	b.Release(false)
	eventually(t, "writing to fail", func() bool { return p.gate.refused.Load() > 10 })
	p.gate.closed.Store(false)
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
	i.config.Heartbeat = 200 * time.Millisecond
	first, second := i.process(), i.process()
	a := first.connect("d", will("gone", "1"))
	for range 3 {
		i.forget()
		b := second.connect("d", will("gone", "1"))
		eventually(t, "the first to be told", func() bool { return a.losses.Load() == 1 })
		first, second, a = second, first, b
	}
	i.settles()
	alternate(t, i.log.of("d"))
	if words := i.log.words("d"); words != "true"+strings.Repeat(" gone=1 false true", 3) {
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
	p.gate.mute.Store(true)
	_, err := p.try("d", will("gone", "1"))
	p.gate.mute.Store(false)
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
	p.gate.mute.Store(true)
	a.Release(true)
	client := i.client()
	eventually(t, "the end to be written", func() bool {
		return !client.HExists(t.Context(), p.ledger.keys.holder(member("app", "a")), "e").Val()
	})
	p.gate.mute.Store(false)
	i.becomes("a", "true gone=1 false")
	eventually(t, "nothing to be left", p.forgotten)
	i.settles()
	i.becomes("a", "true gone=1 false")
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

	// Without Redis nothing can be written in time; the others notice.
	last, survivor := i.process(), i.process()
	last.connect("e", nil)
	last.gate.closed.Store(true)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := last.Close(ctx); err == nil {
		t.Error("Close without Redis succeeded")
	}
	last.gate.closed.Store(false)
	if err := last.leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.becomes("e", "true false")
	if err := survivor.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func testBounds(t *testing.T, i *installation) {
	i.config.ClaimWait = 10 * time.Millisecond
	i.config.Waiting = 2
	i.config.MaxWill = 10
	i.config.WillBytes = 100
	p := i.process()
	f := func(device string, w *Will, want outcome.Outcome) {
		t.Helper()
		_, err := p.try(device, w)
		if outcome.Of(err) != want {
			t.Errorf("%s: %v, want %v", device, err, want)
		}
	}
	f("a", will("gone", strings.Repeat("x", 11)), outcome.TooLarge)
	f("a", will("", "x"), outcome.Invalid)
	f("a", will("a\x00b", "x"), outcome.Invalid)
	f("a", will("\xff", "x"), outcome.Invalid)
	f("a", &Will{Topic: "x", ContentType: "a\nb"}, outcome.Invalid)
	if p.held() != 0 || !p.forgotten() {
		t.Error("a refused session is counted")
	}
	i.log.setAway(true)
	f("a", will("gone", "xxxxx"), outcome.Accepted)
	f("b", will("gone", "xxxxx"), outcome.Accepted)
	f("c", will("gone", "xxxxx"), outcome.Overloaded) // wills
	f("c", nil, outcome.Overloaded)                   // waiting devices
	if p.held() != 2 {
		t.Errorf("%d sessions", p.held())
	}
	i.log.setAway(false)
	i.settles()
	f("c", nil, outcome.Accepted)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Claim(ctx, session("d"), nil, func() { t.Error("lost was called") }); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("Claim by a caller that has gone: %v", err)
	}
	eventually(t, "the claim to be taken back", func() bool { return p.calm() && p.held() == 3 })
}
