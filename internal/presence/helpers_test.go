package presence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A recorder is a Publisher in memory that can refuse and can be made to wait.
type recorder struct {
	mu     sync.Mutex
	events []recorded
	answer func(ingest.Message) outcome.Outcome // nil accepts all
	before func()
	asked  int
}

// A recorded is an event that was stored.
type recorded struct {
	application, device, id, what string // what is "true", "false" or the topic and payload of a will
	time                          time.Time
}

func (r *recorder) Publish(_ context.Context, from *auth.Session, as *registry.Device, m ingest.Message, done func(outcome.Result)) {
	r.mu.Lock()
	before := r.before
	r.mu.Unlock()
	if before != nil {
		before()
	}
	r.mu.Lock()
	r.asked++
	answer := outcome.Accepted
	if r.answer != nil {
		answer = r.answer(m)
	}
	if answer == outcome.Accepted {
		r.events = append(r.events, recorded{from.Application.Metadata.Name, from.Device.Metadata.Name, m.ID, describe(m), m.Time})
	}
	r.mu.Unlock()
	if as != nil {
		panic("an event of presence is about the device itself")
	}
	done(outcome.Result{Outcome: answer})
}

// describe is a message in a word.
func describe(m ingest.Message) string {
	if m.Type == event.TypeConnection && m.Channel == "connection" && m.ContentType == "application/json" {
		text := strings.TrimPrefix(string(m.Body), `{"connected":`)
		return strings.TrimSuffix(text, "}")
	}
	return m.Channel + "=" + string(m.Body)
}

func (r *recorder) setAnswer(answer func(ingest.Message) outcome.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// setAway makes Kafka be away.
func (r *recorder) setAway(away bool) {
	if !away {
		r.setAnswer(nil)
		return
	}
	r.setAnswer(func(ingest.Message) outcome.Outcome { return outcome.Unavailable })
}

func (r *recorder) setBefore(before func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

// of lists the events of a device in the order in which they were stored.
func (r *recorder) of(device string) (list []recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.device == device {
			list = append(list, e)
		}
	}
	return list
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// words is what happened to a device.
func (r *recorder) words(device string) string { return words(r.of(device)) }

func words(events []recorded) string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.what
	}
	return strings.Join(list, " ")
}

// once leaves out what was stored again.
func once(events []recorded) (list []recorded) {
	seen := map[string]bool{}
	for _, e := range events {
		if !seen[e.id] {
			seen[e.id] = true
			list = append(list, e)
		}
	}
	return list
}

// alternate checks that the events of a device begin with true, alternate, that wills stand right before the end, and that
// ids and times are what they should be.
func alternate(t *testing.T, events []recorded) {
	t.Helper()
	ids, expected, will := map[string]bool{}, "true", false
	var last time.Time
	for i, e := range events {
		if ids[e.id] {
			t.Fatalf("event %d repeats an id: %v", i, around(events, i))
		}
		ids[e.id] = true
		if e.time.Before(last) {
			t.Errorf("event %d lies before the one before: %v", i, around(events, i))
		}
		last = e.time
		if strings.Contains(e.what, "=") {
			if will || expected == "true" {
				t.Fatalf("event %d is a will where none can be: %v", i, around(events, i))
			}
			will = true
			continue
		}
		if e.what != expected || will && expected == "true" {
			t.Fatalf("event %d is %s, want %s: %v", i, e.what, expected, around(events, i))
		}
		will = false
		expected = map[string]string{"true": "false", "false": "true"}[expected]
	}
}

// around is an event with its neighbours.
func around(events []recorded, i int) (list []string) {
	for _, e := range events[max(0, i-6):min(len(events), i+4)] {
		list = append(list, e.id[:8]+" "+e.what+e.time.Format(" 05.000000"))
	}
	return list
}

// mortal is a life that can end within a test, and that does not end because a machine is busy with other things.
const mortal = 10 * time.Second

// An installation is what several processes share.
type installation struct {
	t      *testing.T
	url    string
	name   string
	config Config
	log    *recorder
}

// installations numbers installations, so that tests of one server do not meet.
var installations atomic.Int64

func newInstallation(t *testing.T, url string) *installation {
	c := DefaultConfig()
	c.Heartbeat = 20 * time.Millisecond
	c.Life = time.Minute // nobody dies unless the test says so
	c.ClaimWait = 30 * time.Second
	c.Verify = 100 * time.Millisecond
	c.MaxPause = 100 * time.Millisecond
	return &installation{t: t, url: url, name: fmt.Sprintf("t%d", installations.Add(1)), config: c, log: &recorder{}}
}

// client makes a client of the installation's Redis.
func (i *installation) client() *redis.Client {
	i.t.Helper()
	options, err := redis.ParseURL(i.url)
	if err != nil {
		i.t.Fatal(err)
	}
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.PoolSize = 16
	client := redis.NewClient(options)
	i.t.Cleanup(func() { _ = client.Close() })
	return client
}

// A process is a Tracker as a process has it, with what may happen to one.
type process struct {
	*Tracker
	t       *testing.T
	barrier *barrier
	kill    func() // stops Run, without Close
}

// process starts a process, and waits until it is ready.
func (i *installation) process() *process {
	i.t.Helper()
	return i.processWith(i.log)
}

func (i *installation) processWith(p Publisher) *process {
	i.t.Helper()
	client := i.client()
	g := &barrier{}
	client.AddHook(g)
	tracker, err := New(i.config, client, i.name, p, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := tracker.Run(ctx); err != nil {
			i.t.Errorf("Run: %v", err)
		}
	}()
	i.t.Cleanup(func() { cancel(); <-ended; tracker.stop() })
	eventually(i.t, "the process to be ready", func() bool { return tracker.Ready(i.t.Context()) == nil })
	return &process{Tracker: tracker, t: i.t, barrier: g, kill: func() { cancel(); <-ended }}
}

// A barrier lies between a process and Redis.
type barrier struct {
	closed  atomic.Bool // commands fail
	refused atomic.Int64
	mute    atomic.Bool // scripts are executed, but their answers are lost
}

var errGate = errors.New("the barrier is closed")

func (g *barrier) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g *barrier) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		return g.pass([]redis.Cmder{command}, func() error { return next(ctx, command) })
	}
}

func (g *barrier) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		return g.pass(commands, func() error { return next(ctx, commands) })
	}
}

// pass has commands processed, and their answers lost, as far as the barrier says so.
func (g *barrier) pass(commands []redis.Cmder, process func() error) error {
	var err error
	if g.closed.Load() {
		g.refused.Add(int64(len(commands)))
		err = errGate
	} else if err = process(); err == nil && g.mute.Load() && strings.HasPrefix(commands[0].Name(), "eval") {
		err = errGate
	}
	if errors.Is(err, errGate) {
		for _, command := range commands {
			command.SetErr(err)
		}
	}
	return err
}

// session is what an authenticator admits.
func session(device string) *auth.Session {
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "app", UID: "uid-app"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: device, Application: "app", UID: "uid-" + device}},
	}
}

func will(topic, payload string) *Will { return &Will{Topic: topic, Payload: []byte(payload)} }

// A connection is a session as a gateway has it.
type connection struct {
	*Lease
	losses atomic.Int64
}

// connect expects a device to be admitted.
func (p *process) connect(device string, w *Will) *connection {
	p.t.Helper()
	c, err := p.try(device, w)
	if err != nil {
		p.t.Fatalf("claiming %s: %v", device, err)
	}
	return c
}

func (p *process) try(device string, w *Will) (*connection, error) {
	c := &connection{}
	var err error
	c.Lease, err = p.Claim(p.t.Context(), session(device), w, func() { c.losses.Add(1) })
	return c, err
}

// eventually waits for a condition; the minute only ends a test that fails.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waiting for %s took too long", what)
		case <-ticker.C:
		}
	}
}

// becomes waits until exactly that has happened to a device.
func (i *installation) becomes(device, want string) {
	i.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for i.log.words(device) != want {
		if time.Now().After(deadline) {
			i.t.Fatalf("%s: %q, want %q", device, i.log.words(device), want)
		}
		backoff.Wait(i.t.Context(), 2*time.Millisecond)
	}
}

// settles waits until Redis holds nothing of devices any more but who holds which. What a process has not written yet is not waited for.
func (i *installation) settles() {
	i.t.Helper()
	client, keys := i.client(), newKeyspace(i.name)
	eventually(i.t, "all events to be stored, and no key of them to be left", func() bool {
		left := client.ZCard(i.t.Context(), keys.waiting()).Val()
		for _, pattern := range []string{keys.outbox("*"), keys.lock("*")} {
			left += int64(len(client.Keys(i.t.Context(), pattern).Val()))
		}
		return left == 0
	})
}

// holders is how many devices are held, as Redis knows it.
func (i *installation) holders() (held int) {
	client := i.client()
	for _, key := range client.Keys(i.t.Context(), newKeyspace(i.name).holder("*")).Val() {
		if client.HExists(i.t.Context(), key, "e").Val() {
			held++
		}
	}
	return held
}
