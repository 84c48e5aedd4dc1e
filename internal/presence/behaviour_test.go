package presence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

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
		{"many sessions begin at once, on a Redis that knows no script", testManyAtOnce},
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
		{"tallies are kept", testTallies},
		{"idle sessions are compared in turn", testIdleComparison},
		{"a claim whose answer is lost is taken back", testLostAnswer},
		{"an end whose answer is lost is written once", testLostEnd},
		{"a process closes", testClose},
		{"a process closes in a hurry", testCloseInAHurry},
		{"bounds refuse", testBounds},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // most of the time they wait
			test.run(t, newInstallation(t, url(t)))
		})
	}
}

func testManyAtOnce(t *testing.T, i *installation) {
	p := i.process()
	if err := i.client().ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	const devices = 200
	var group sync.WaitGroup
	for n := range devices {
		group.Go(func() {
			device := fmt.Sprintf("dev-%d", n)
			c, err := p.try(device, nil)
			if err != nil {
				t.Errorf("claiming %s: %v", device, err)
				return
			}
			if n%2 == 0 {
				c.Release(true)
			}
		})
	}
	group.Wait()
	i.settles()
	for n := range devices {
		want := "true"
		if n%2 == 0 {
			want = "true false"
		}
		i.becomes(fmt.Sprintf("dev-%d", n), want)
	}
	if p.held() != devices/2 || i.holders() != devices/2 {
		t.Errorf("%d sessions, %d holders", p.held(), i.holders())
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
