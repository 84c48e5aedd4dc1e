package coap

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
	"github.com/plgd-dev/go-coap/v3/udp/client"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/authority"
)

const waitLimit = time.Minute

// A books is a registry in memory.
type books struct {
	mu           sync.Mutex
	applications map[string]*registry.Application
	devices      map[string]*registry.Device // by application/name
	broken       error
}

func (b *books) Application(_ context.Context, alias string) (*registry.Application, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return nil, b.broken
	}
	for _, a := range b.applications {
		if aliases, err := a.Aliases(); err == nil && slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Value == alias }) {
			return a, nil
		}
	}
	return nil, registry.ErrNotFound
}

func (b *books) Anchored(_ context.Context, subject string) (names []string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return nil, b.broken
	}
	for _, a := range b.applications {
		aliases, err := a.Aliases()
		if err == nil && slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Kind == registry.AliasTrustAnchor && x.Value == subject }) {
			names = append(names, a.Metadata.Name)
		}
	}
	return names, nil
}

func (b *books) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return nil, b.broken
	}
	for _, d := range b.devices {
		aliases, err := d.Aliases()
		if d.Metadata.Application == application && err == nil && slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Value == alias }) {
			return d, nil
		}
	}
	return nil, registry.ErrNotFound
}

// A recordWriter keeps records, and answers with err, or only when it is told to.
type recordWriter struct {
	mu      sync.Mutex
	records []*kgo.Record
	err     error
	held    chan func()
}

func (s *recordWriter) Write(_ context.Context, r *kgo.Record, done func(error)) {
	s.mu.Lock()
	err, held := s.err, s.held
	if err == nil {
		s.records = append(s.records, r)
	}
	s.mu.Unlock()
	if held != nil {
		held <- func() { done(err) }
		return
	}
	done(err)
}

func (s *recordWriter) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *recordWriter) all() []*kgo.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

func (s *recordWriter) last(t testing.TB) *kgo.Record {
	t.Helper()
	all := s.all()
	if len(all) == 0 {
		t.Fatal("nothing is stored")
	}
	return all[len(all)-1]
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// A site is a gateway with all that it needs.
type site struct {
	*Gateway
	t       testing.TB
	books   *books
	cache   *auth.Cache
	writer  *recordWriter
	hub     *command.Hub
	reports chan refusal.Report // of what is refused
	ca      *authority.Authority
	stop    context.CancelFunc
	stopped chan error
}

// start runs a gateway at free ports.
func start(t testing.TB, change func(*Config), prepare ...func(*site)) *site {
	t.Helper()
	s := &site{
		t: t, books: &books{applications: map[string]*registry.Application{}, devices: map[string]*registry.Device{}},
		writer: &recordWriter{}, hub: command.NewHub(), reports: make(chan refusal.Report, 100), ca: authority.New(t, "Servers"), stopped: make(chan error, 1),
	}
	for _, p := range prepare {
		p(s)
	}
	s.cache = auth.NewCache(auth.DefaultCacheConfig(), auth.NewService(auth.DefaultServiceConfig(), s.books, nil))
	steady := auth.DefaultSteadyConfig()
	steady.Quantum, steady.MaxDelay = time.Millisecond, time.Millisecond
	config := DefaultConfig()
	config.Address, config.SecureAddress = "127.0.0.1:0", "127.0.0.1:0"
	config.DrainTimeout = time.Second
	if change != nil {
		change(&config)
	}
	server := s.ca.Issue("localhost", nil)
	var err error
	s.Gateway, err = New(config, auth.NewSteady(steady, s.cache), ingest.New(ingest.DefaultConfig(), s.writer).ReportTo(refusal.NewLog(nil, s.note)), s.hub,
		func() (*tls.Certificate, error) { return &server, nil }, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go func() { s.stopped <- s.Run(ctx) }()
	t.Cleanup(func() { s.close() })
	s.application("app", `{}`)
	s.device("device", `{"authentication":{"credentials":[{"pass":"secret"},{"psk":{"key":"a2V5"}}]}}`)
	return s
}

// note keeps a report, as long as there is room.
func (s *site) note(r refusal.Report) {
	select {
	case s.reports <- r:
	default:
	}
}

// reported waits for the next report.
func (s *site) reported() refusal.Report {
	s.t.Helper()
	select {
	case r := <-s.reports:
		return r
	case <-time.After(waitLimit):
		s.t.Fatal("nothing is reported")
		return refusal.Report{}
	}
}

func (s *site) close() {
	s.stop()
	if err := <-s.stopped; err != nil {
		s.t.Errorf("Run: %v", err)
	}
	s.stopped <- nil
}

// application writes an application, and tells the cache.
func (s *site) application(name, spec string) {
	s.t.Helper()
	a := &registry.Application{Metadata: registry.Metadata{Name: name, UID: "uid-" + name}, Spec: sections(s.t, spec)}
	anchors, err := registry.ResolveTrustAnchors(a.Spec)
	if err != nil {
		s.t.Fatal(err)
	}
	status, err := json.Marshal(anchors)
	if err != nil {
		s.t.Fatal(err)
	}
	a.Status = registry.Sections{registry.SectionTrustAnchors: status}
	s.books.mu.Lock()
	s.books.applications[name] = a
	s.books.mu.Unlock()
	s.cache.Invalidate(registry.Change{Kind: registry.ApplicationChanged, Application: name, Aliases: []string{name}})
}

// device writes a device of the application app, and tells the cache.
func (s *site) device(name, spec string) {
	s.t.Helper()
	s.deviceWith(name, "uid-"+name, spec)
}

func (s *site) deviceWith(name, uid, spec string) {
	s.t.Helper()
	d := &registry.Device{Metadata: registry.Metadata{Name: name, Application: "app", UID: uid}, Spec: sections(s.t, spec)}
	s.books.mu.Lock()
	s.books.devices["app/"+name] = d
	s.books.mu.Unlock()
	s.cache.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: "app", Device: name, Aliases: []string{name}})
}

func (s *site) fail(err error) {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	s.books.broken = err
}

func sections(t testing.TB, text string) (s registry.Sections) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// basic is the option with a log-in.
func basic(user, password string) message.Option {
	return message.Option{ID: optionAuthorization, Value: []byte("Basic " + encoded(user+":"+password))}
}

// dial connects go-coap's client to plain CoAP.
func (s *site) dial() *client.Conn {
	s.t.Helper()
	conn, err := udp.Dial(s.Address().String(), options.WithErrors(func(error) {}),
		options.WithLimitClientParallelRequest(0), options.WithLimitClientEndpointParallelRequest(0))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// preShared are a DTLS client's options for a key.
func preShared(identity, key string) []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(key), nil }),
		dtls.WithPSKIdentityHint([]byte(identity)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256),
	}
}

// withCertificate are a DTLS client's options for a certificate; without one it has none.
func (s *site) withCertificate(own ...tls.Certificate) []dtls.ClientOption {
	list := []dtls.ClientOption{dtls.WithRootCAs(s.ca.Pool()), dtls.WithServerName("localhost")}
	if len(own) > 0 {
		list = append(list, dtls.WithCertificates(own...))
	}
	return list
}

// handshake makes a DTLS session.
func (s *site) handshake(timeout time.Duration, list ...dtls.ClientOption) (*dtls.Conn, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	return s.handshakeUntil(ctx, list...)
}

// handshakeUntil makes a DTLS session before ctx ends.
func (s *site) handshakeUntil(ctx context.Context, list ...dtls.ClientOption) (*dtls.Conn, error) {
	s.t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = socket.Close() })
	conn, err := dtls.ClientWithOptions(socket, net.UDPAddrFromAddrPort(s.SecureAddress()), list...)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// secure connects go-coap's client over DTLS.
func (s *site) secure(list ...dtls.ClientOption) *client.Conn {
	s.t.Helper()
	conn, err := s.handshake(waitLimit, list...)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.client(conn)
}

// client makes go-coap's client of a DTLS session.
func (s *site) client(conn *dtls.Conn) *client.Conn {
	c := coapdtls.Client(conn, options.WithErrors(func(error) {}), options.WithCloseSocket())
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// An ask is a request; post and get begin one.
type ask struct {
	code    codes.Code
	path    string
	body    string
	format  int // Content-Format, -1 for none
	options []message.Option
	queries []string
}

func post(path, body string, list ...message.Option) ask {
	return ask{code: codes.POST, path: path, body: body, format: -1, options: list}
}

func (a ask) query(list ...string) ask {
	a.queries = append(a.queries, list...)
	return a
}

func (a ask) as(code codes.Code) ask {
	a.code = code
	return a
}

func (a ask) content(format int) ask {
	a.format = format
	return a
}

// A reply is what came back.
type reply struct {
	code    codes.Code
	body    string
	options message.Options
}

func (r reply) option(id message.OptionID) string {
	value, _ := r.options.GetBytes(id)
	return string(value)
}

// do sends a request and waits for its answer.
func do(t testing.TB, conn *client.Conn, a ask) reply {
	t.Helper()
	got, err := try(t.Context(), conn, a)
	if err != nil {
		t.Fatalf("%v %s: %v", a.code, a.path, err)
	}
	return got
}

func try(ctx context.Context, conn *client.Conn, a ask) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	m, err := a.message(ctx, conn)
	if err != nil {
		return reply{}, err
	}
	answer, err := conn.Do(m)
	if err != nil {
		return reply{}, err
	}
	body, err := answer.ReadBody()
	list, _ := answer.Options().Clone()
	return reply{answer.Code(), string(body), list}, err
}

func (a ask) message(ctx context.Context, conn *client.Conn) (*pool.Message, error) {
	m := conn.AcquireMessage(ctx)
	m.SetCode(a.code)
	token, err := message.GetToken()
	if err != nil {
		return nil, err
	}
	m.SetToken(token)
	if err := m.SetPath(a.path); err != nil {
		return nil, err
	}
	for _, q := range a.queries {
		m.AddQuery(q)
	}
	for _, o := range a.options {
		m.AddOptionBytes(o.ID, o.Value)
	}
	if a.format >= 0 {
		m.SetContentFormat(message.MediaType(a.format))
	}
	if a.body != "" {
		m.SetBody(bytes.NewReader([]byte(a.body)))
	}
	return m, nil
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(waitLimit)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
