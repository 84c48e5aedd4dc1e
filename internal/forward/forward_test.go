package forward

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// An authority admits the gateway device site, and lets it speak for every device but stranger.
type authority struct {
	auth.Authenticator
	mu      sync.Mutex
	asked   int
	err     error
	revoked chan struct{}
}

func (a *authority) Authenticate(context.Context, auth.Request) (*auth.Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.err != nil {
		return nil, a.err
	}
	a.revoked = make(chan struct{})
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "plant", UID: "a"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "site", UID: "s"}},
		Revoked:     a.revoked,
	}, nil
}

func (a *authority) AuthorizeAs(_ context.Context, _ *auth.Session, name string) (*registry.Device, error) {
	if name == "stranger" {
		return nil, outcome.New(outcome.Forbidden, "")
	}
	return &registry.Device{Metadata: registry.Metadata{Name: name, UID: name}}, nil
}

func (a *authority) answer(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *authority) revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.revoked)
}

// A topic stores records, or fails.
type topic struct {
	mu         sync.Mutex
	err        error
	refuses    string // a value that is refused once
	values     []string
	busy, most int // records that are on their way
}

func (k *topic) Write(_ context.Context, r *kgo.Record, done func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.err
	if err == nil && string(r.Value) == k.refuses {
		k.refuses, err = "", outcome.New(outcome.Overloaded, "")
	}
	if err == nil {
		k.values = append(k.values, string(r.Value))
	}
	k.busy++
	k.most = max(k.most, k.busy)
	go func() {
		k.mu.Lock()
		k.busy--
		k.mu.Unlock()
		done(err)
	}()
}

// atOnce is how many records were on their way at the same time.
func (k *topic) atOnce() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.most
}

func (k *topic) answer(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

func (k *topic) stored(t *testing.T, want ...string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if diff := cmp.Diff(want, k.values); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// inFlight is how many messages may be on their way at once.
const inFlight = 2

// A fixture is a forwarder that runs.
type fixture struct {
	*Forwarder
	authority *authority
	topic     *topic

	mu      sync.Mutex
	settled map[string]outcome.Outcome // by body
	left    []string
}

// within runs a test in a bubble of virtual time, around a forwarder.
func within(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{authority: &authority{}, topic: &topic{}, settled: map[string]outcome.Outcome{}}
		c := Config{Batch: 3, InFlight: inFlight, Gateway: GatewayConfig{Application: "plant", Device: "site"}, RetryDelay: 10 * time.Second, AuthTimeout: time.Second}
		f.Forwarder = New(c, f.authority, ingest.New(ingest.DefaultConfig(), f.topic), func(outcome.Outcome) {}, zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		test(t, f)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		running.Wait()
	})
}

func (f *fixture) forward(device, body string) bool {
	return f.Forward(&Message{
		Device:  device,
		Message: ingest.Message{ID: body, Channel: "x", Body: []byte(body)},
		Settled: func(r outcome.Result) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.settled[body] = r.Outcome
		},
		Left: func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.left = append(f.left, body)
		},
	})
}

func (f *fixture) expect(t *testing.T, want map[string]outcome.Outcome, left ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff(want, f.settled); diff != "" {
		t.Errorf("settled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(left, f.left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

var unavailable = outcome.New(outcome.Unavailable, "")

func TestOrderOfADevice(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		f.topic.answer(unavailable)
		for n := range 5 {
			f.forward("a", strconv.Itoa(n))
		}
		time.Sleep(time.Minute)
		f.expect(t, map[string]outcome.Outcome{})
		f.topic.answer(nil)
		time.Sleep(time.Minute)
		f.topic.stored(t, "0", "1", "2", "3", "4")
	})
}

// TestInFlight has more messages of a device than may be on their way at once.
func TestInFlight(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		var want []string
		for n := range 20 {
			want = append(want, strconv.Itoa(n))
			f.forward("a", strconv.Itoa(n))
		}
		synctest.Wait()
		f.topic.stored(t, want...)
		if n := f.topic.atOnce(); n != inFlight {
			t.Errorf("%d messages were on their way at once, want %d", n, inFlight)
		}
	})
}

// TestOrderOfABatch has one message of a batch refused for now, while those around it are stored.
func TestOrderOfABatch(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		f.topic.refuses = "2"
		for _, value := range []string{"first", "1", "2", "3", "4"} { // the first is a batch of its own
			f.forward("a", value)
		}
		time.Sleep(time.Minute)
		f.topic.stored(t, "first", "1", "3", "2", "3", "4")
		f.expect(t, map[string]outcome.Outcome{"first": outcome.Accepted, "1": outcome.Accepted, "2": outcome.Accepted, "3": outcome.Accepted, "4": outcome.Accepted})
	})
}

func TestSettled(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		f.forward("a", "1")
		f.forward("", "2")
		f.forward("stranger", "3")
		synctest.Wait()
		f.expect(t, map[string]outcome.Outcome{"1": outcome.Accepted, "2": outcome.Accepted, "3": outcome.Forbidden})
	})
}

func TestClose(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		f.topic.answer(unavailable)
		f.forward("a", "1")
		f.forward("a", "2")
		synctest.Wait()
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		f.expect(t, map[string]outcome.Outcome{}, "1", "2")
		if f.forward("b", "3") {
			t.Error("a message was taken after the end")
		}
	})
}

// TestRevocationUnderWay has the gateway revoked while the registry is asked for whom it may speak.
func TestRevocationUnderWay(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		synctest.Wait()
		from := f.identity.current()
		if got := refusal(from, outcome.New(outcome.Forbidden, "")).Outcome; got != outcome.Forbidden {
			t.Errorf("outcome %v of a device that the gateway may not speak for", got)
		}
		f.authority.answer(outcome.New(outcome.Unauthenticated, ""))
		f.authority.revoke()
		if got := refusal(from, outcome.New(outcome.Forbidden, "")).Outcome; got.Final() {
			t.Errorf("outcome %v of a gateway that is revoked", got)
		}
	})
}

// TestRevokedAndAdmittedAgain is a change of the registry that changes nothing for the gateway.
func TestRevokedAndAdmittedAgain(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		synctest.Wait()
		before := f.identity.current()
		f.authority.revoke()
		synctest.Wait()
		if now := f.identity.current(); now == nil || now == before || f.authority.count() != 2 {
			t.Errorf("session %v after %d requests", now, f.authority.count())
		}
	})
}

// TestAdmissionIsRenewed has the registry refuse the gateway without a revocation, as one that is not watched does.
func TestAdmissionIsRenewed(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		synctest.Wait()
		f.authority.answer(unavailable)
		time.Sleep(10 * admissionAge)
		if !f.Admitted() {
			t.Error("the admission was dropped, although nobody took it back")
		}
		f.authority.answer(outcome.New(outcome.Unauthenticated, ""))
		time.Sleep(2 * admissionAge)
		if f.Admitted() {
			t.Error("the admission was kept")
		}
		f.forward("a", "1")
		time.Sleep(time.Minute)
		f.topic.stored(t)
		f.authority.answer(nil)
		time.Sleep(time.Minute)
		f.topic.stored(t, "1")
	})
}

func TestAs(t *testing.T) {
	within(t, func(t *testing.T, f *fixture) {
		for device, want := range map[string]string{"": "site", "a": "a"} {
			s, err := f.As(t.Context(), device)
			if err != nil || s.Application.Metadata.Name != "plant" || s.Device.Metadata.Name != want {
				t.Errorf("as %q: %v, %v", device, s, err)
			}
		}
		if _, err := f.As(t.Context(), "stranger"); outcome.Of(err) != outcome.Forbidden {
			t.Errorf("as a stranger: %v", err)
		}
		f.authority.answer(outcome.New(outcome.Unauthenticated, ""))
		f.authority.revoke()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.As(ctx, "a"); outcome.Of(err) != outcome.Unavailable {
			t.Errorf("while the gateway is not admitted: %v", err)
		}
	})
}
