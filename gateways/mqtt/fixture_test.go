package mqtt

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

// documents are a registry in memory. Devices are kept by application and any of their names.
type documents struct {
	mu           sync.Mutex
	applications map[string]*registry.Application
	devices      map[[2]string]*registry.Device
	away         bool
	asked        int
}

var errAway = errors.New("the registry is away")

func newDocuments() *documents {
	return &documents{applications: map[string]*registry.Application{}, devices: map[[2]string]*registry.Device{}}
}

func (d *documents) Application(_ context.Context, alias string) (*registry.Application, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.away {
		return nil, errAway
	}
	if a, ok := d.applications[alias]; ok {
		return a, nil
	}
	return nil, registry.ErrNotFound
}

func (d *documents) Anchored(_ context.Context, subject string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, errAway
	}
	if a, ok := d.applications[subject]; ok {
		return []string{a.Metadata.Name}, nil
	}
	return nil, nil
}

func (d *documents) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, errAway
	}
	if device, ok := d.devices[[2]string{application, alias}]; ok {
		return device, nil
	}
	return nil, registry.ErrNotFound
}

// sections reads the specification of a test.
func sections(spec string) registry.Sections {
	if spec == "" {
		return nil
	}
	var s registry.Sections
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		panic(err)
	}
	return s
}

func (d *documents) putApplication(name, spec string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.applications[name] = &registry.Application{Metadata: registry.Metadata{Name: name, UID: "uid-" + name}, Spec: sections(spec)}
}

func (d *documents) putDevice(application, name, uid, spec string) {
	device := &registry.Device{Metadata: registry.Metadata{Name: name, Application: application, UID: uid}, Spec: sections(spec)}
	aliases, err := device.Aliases()
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, alias := range aliases {
		d.devices[[2]string{application, alias.Value}] = device
	}
}

func (d *documents) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

// times is how often an application was asked for.
func (d *documents) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// recordWriter keeps records and acknowledges them, at once or, while it is held, when they are released.
type recordWriter struct {
	mu      sync.Mutex
	records []*kgo.Record
	err     error
	held    bool
	waiting []func(error)
}

func (s *recordWriter) Write(_ context.Context, r *kgo.Record, done func(error)) {
	s.mu.Lock()
	err := s.err
	if err == nil {
		s.records = append(s.records, r)
	}
	if s.held && err == nil {
		s.waiting = append(s.waiting, done)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	done(err)
}

// fail has every further record fail.
func (s *recordWriter) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// release acknowledges what was held.
func (s *recordWriter) release() {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, done := range waiting {
		done(nil)
	}
}

func (s *recordWriter) all() []*kgo.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// roll keeps claims and releases.
type roll struct {
	mu       sync.Mutex
	err      error
	claims   []*claim
	released []bool // whether the will was to be published
}

type claim struct {
	roll    *roll
	session *auth.Session
	will    *presence.Will
	lost    func()
}

func (r *roll) Claim(_ context.Context, s *auth.Session, will *presence.Will, lost func()) (lease, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	c := &claim{r, s, will, lost}
	r.claims = append(r.claims, c)
	return c, nil
}

func (c *claim) Release(fireWill bool) {
	c.roll.mu.Lock()
	defer c.roll.mu.Unlock()
	c.roll.released = append(c.roll.released, fireWill)
}

// ends are the claims that have been released: whether with the will.
func (r *roll) ends() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.released)
}

// peer is the connection of a client.
type peer struct {
	version packet.Version
	chain   []*x509.Certificate

	mu        sync.Mutex
	delivered []packet.Publish
	ends      []protocol.Answer
	ended     chan struct{}
}

var _ client = (*peer)(nil)

func newPeer() *peer { return &peer{version: packet.V5, ended: make(chan struct{})} }

func (p *peer) Version() packet.Version { return p.version }
func (p *peer) Remote() string          { return "192.0.2.1" }
func (p *peer) TLS() (state tlspsk.State) {
	for _, certificate := range p.chain {
		state.Chain = append(state.Chain, certificate.Raw)
	}
	return state
}

func (p *peer) Deliver(m *packet.Publish) (taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ends) > 0 {
		return false
	}
	p.delivered = append(p.delivered, *m)
	return true
}

func (p *peer) Disconnect(r packet.Reason, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = append(p.ends, protocol.Answer{Reason: r, Text: text})
	if len(p.ends) == 1 {
		close(p.ended)
	}
}

// end is why the connection was ended; 0 if it was not.
func (p *peer) end() packet.Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[0].Reason
}

// A fixture is a gateway with neighbours in memory. Its authenticator is the real one.
type fixture struct {
	*Gateway
	documents *documents
	decisions *auth.Cache
	writer    *recordWriter
	roll      *roll
	hub       *command.Hub
}

func newFixture(change func(*Config)) *fixture {
	c := DefaultConfig()
	c.RenewalSpread = 0
	if change != nil {
		change(&c)
	}
	f := &fixture{documents: newDocuments(), writer: &recordWriter{}, roll: &roll{}, hub: command.NewHub()}
	f.documents.putApplication("app", "")
	f.documents.putDevice("app", "device", "uid-device", `{"authentication":{"credentials":[{"pass":"secret"}]}}`)
	f.documents.putDevice("app", "other", "uid-other", `{"alias":["second name"],"gatewaySelector":{"matchNames":["device"]}}`)
	f.documents.putDevice("app", "stranger", "uid-stranger", "")
	f.decisions = auth.NewCache(auth.DefaultCacheConfig(), auth.NewService(auth.DefaultServiceConfig(), f.documents, nil))
	f.Gateway = newGateway(c, auth.NewSteady(auth.DefaultSteadyConfig(), f.decisions), ingest.New(ingest.DefaultConfig(), f.writer), f.hub, f.roll, nil)
	return f
}

// changed tells the gateway's process that a document has changed.
func (f *fixture) changed(application, device string) {
	change := registry.Change{Kind: registry.ApplicationChanged, Application: application}
	if device != "" {
		change = registry.Change{Kind: registry.DeviceChanged, Application: application, Device: device}
	}
	f.decisions.Invalidate(change)
}

// login is the CONNECT of the device.
func login() *packet.Connect {
	return &packet.Connect{Version: packet.V5, CleanStart: true, HasUsername: true, Username: "device@app", HasPassword: true, Password: []byte("secret")}
}

// connected is a session of the device.
func (f *fixture) connected(t *testing.T) (*session, *peer) {
	t.Helper()
	p := newPeer()
	s, err := logIn(t.Context(), f.Gateway, p, login())
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// published is the answer to a message.
func published(t *testing.T, s *session, p packet.Publish) protocol.Answer {
	t.Helper()
	answer := make(chan protocol.Answer, 2)
	s.Publish(&p, func(a protocol.Answer) { answer <- a })
	select {
	case a := <-answer:
		return a
	case <-time.After(waitLimit):
		t.Fatalf("no answer to %q", p.Topic)
		return protocol.Answer{}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// field is the name with which the text of a configuration's error begins.
func field(err error) string {
	name, _, _ := strings.Cut(errorText(err), ":")
	return name
}

// closedNormally is the end of a client that took its leave.
var closedNormally = protocol.End{Normal: true}

func sorted(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return texts
}

// counting tells how many log-ins were judged at the same time, at most.
type counting struct {
	auth.Authenticator
	now, most atomic.Int64
}

func (c *counting) Authenticate(ctx context.Context, r auth.Request) (*auth.Session, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	return c.Authenticator.Authenticate(ctx, r)
}
