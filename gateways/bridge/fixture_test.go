package bridge

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A recordWriter stores records. It can be made to fail, or to answer only when it is told to.
type recordWriter struct {
	mu      sync.Mutex
	tried   []*kgo.Record // those that failed, too
	records []*kgo.Record
	fails   func(text string) error // nil: never; text is the value of a record
	held    []func()                // answers that are due when release is called
	holding bool
}

func (s *recordWriter) Write(_ context.Context, r *kgo.Record, done func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = append(s.tried, r)
	if s.fails != nil {
		if err := s.fails(string(r.Value)); err != nil {
			go done(err)
			return
		}
	}
	s.records = append(s.records, r)
	if s.holding {
		s.held = append(s.held, func() { done(nil) })
		return
	}
	go done(nil)
}

// fail makes records fail with an error, all of them unless a text is given; nil ends that.
func (s *recordWriter) fail(err error, texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = func(text string) error {
		if len(texts) > 0 && !slices.Contains(texts, text) {
			return nil
		}
		return err
	}
}

// hold keeps answers back.
func (s *recordWriter) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
}

// release gives the answers that were kept back, and keeps none back any more.
func (s *recordWriter) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, answer := range s.held {
		go answer()
	}
	s.held, s.holding = nil, false
}

// values are the records so far.
func (s *recordWriter) values() (texts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		texts = append(texts, string(r.Value))
	}
	return texts
}

// A door admits the device site of the application plant, and lets it speak for every device but stranger.
type door struct {
	auth.Authenticator
	mu      sync.Mutex
	asked   []auth.Request
	err     error // of Authenticate
	asErr   error // of AuthorizeAs
	revoked chan struct{}
}

func (d *door) Authenticate(_ context.Context, r auth.Request) (*auth.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r)
	if d.err != nil {
		return nil, d.err
	}
	if r.Application != "plant" || r.Device != "site" || r.Credential != auth.Password("the-gateway's-password") {
		return nil, outcome.New(outcome.Unauthenticated, "")
	}
	d.revoked = make(chan struct{})
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "plant", UID: "a"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "site", UID: "s"}},
		Revoked:     d.revoked,
	}, nil
}

func (d *door) AuthorizeAs(_ context.Context, s *auth.Session, name string) (*registry.Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.asErr != nil:
		return nil, d.asErr
	case name == "stranger":
		return nil, outcome.New(outcome.Forbidden, "")
	default:
		return &registry.Device{Metadata: registry.Metadata{Name: name, UID: "uid-" + name}}, nil
	}
}

// set changes what the door says, and revokes what it has said if that is refused now.
func (d *door) set(err, asErr error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.asErr = err, asErr
	if err != nil && d.revoked != nil && !closed(d.revoked) {
		close(d.revoked)
	}
}

// A fixture is a bridge between a broker and a writer.
type fixture struct {
	t      *testing.T
	broker *broker
	door   *door
	writer *recordWriter
	bridge *Bridge
	stop   context.CancelFunc
	ended  chan error
}

func testConfig() Config {
	c := DefaultConfig()
	c.Broker.URL = "mqtt://broker.example"
	c.Gateway = forward.GatewayConfig{Application: "plant", Device: "site", Password: "the-gateway's-password"}
	c.Patterns = []string{"site/{device}/{channel...}", "own/{channel}"}
	return c
}

// newFixture makes a bridge that runs once start is called.
func newFixture(t *testing.T, c Config) *fixture {
	t.Helper()
	f := &fixture{t: t, broker: newBroker(t), door: &door{}, writer: &recordWriter{}, ended: make(chan error, 1)}
	var err error
	f.bridge, err = New(c, f.door, ingest.New(ingest.DefaultConfig(), f.writer), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.bridge.upstream.dial = func(ctx context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case f.broker.connections <- theirs:
			return newConn(ours, c.MaxPacket, c.Broker.ConnectTimeout), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(c.Broker.ConnectTimeout):
			return nil, errUnreachable
		}
	}
	return f
}

func (f *fixture) start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() { f.ended <- f.bridge.Run(ctx) }()
	f.t.Cleanup(f.finish)
}

// finish stops the bridge and waits for its end.
func (f *fixture) finish() {
	f.stop()
	if err, first := <-f.ended; first {
		close(f.ended)
		if err != nil {
			f.t.Error(err)
		}
	}
}

// connected starts the bridge and admits it.
func (f *fixture) connected() *link {
	f.t.Helper()
	f.start()
	l := f.broker.accept()
	l.welcome(false)
	return l
}

// stored checks what lies on the writer, in order, once everything has come to rest.
func (f *fixture) stored(want ...string) {
	f.t.Helper()
	synctest.Wait()
	if got := f.writer.values(); !slices.Equal(got, want) {
		f.t.Errorf("stored %q, want %q", got, want)
	}
}

// storedByDevice checks what lies on the writer, in order per device, once everything has come to rest.
func (f *fixture) storedByDevice(want map[string][]string) {
	f.t.Helper()
	synctest.Wait()
	f.writer.mu.Lock()
	defer f.writer.mu.Unlock()
	got := map[string][]string{}
	for _, r := range f.writer.records {
		device := headers(r)["ce_device"]
		got[device] = append(got[device], string(r.Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// settled lets time go by in a bubble, long enough for everything that is tried again.
func settled() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestNoSecretInText(t *testing.T) {
	c := testConfig()
	c.Broker.Password = "the-broker's-password"
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v %#v", c.Broker, c.Broker), fmt.Sprintf("%v %#v", c.Gateway, c.Gateway)} {
		if strings.Contains(text, "password") {
			t.Errorf("a password in %q", text)
		}
	}
}
