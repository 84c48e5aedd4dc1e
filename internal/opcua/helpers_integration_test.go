//go:build integration

package opcua_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// startServer starts a server that ends with the test.
func startServer(t *testing.T, kind opcuaserver.Kind, o opcuaserver.Options) *opcuaserver.Server {
	t.Helper()
	s, err := opcuaserver.Start(t.Context(), kind, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fast is a server whose counters change often.
var fast = opcuaserver.Options{Every: 5 * time.Millisecond, Counters: 2}

// shared holds a server of each kind, for the tests that do not harm it. Each is started for the first test that needs it.
var shared = struct {
	sync.Mutex
	servers map[opcuaserver.Kind]*opcuaserver.Server
}{servers: map[opcuaserver.Kind]*opcuaserver.Server{}}

// sharedServer is a fast server that is not to be harmed.
func sharedServer(t *testing.T, kind opcuaserver.Kind) *opcuaserver.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.servers[kind] == nil {
		s, err := opcuaserver.Start(context.Background(), kind, fast)
		if err != nil {
			t.Fatal(err)
		}
		shared.servers[kind] = s
	}
	return shared.servers[kind]
}

func closeShared() {
	for _, s := range shared.servers {
		_ = s.Close()
	}
}

// eachKind runs a test against every kind of server.
func eachKind(t *testing.T, test func(t *testing.T, kind opcuaserver.Kind)) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

// config is how a test reaches a server: without security, and coming back soon.
func config(t *testing.T, url string) opcua.EndpointConfig {
	return opcua.EndpointConfig{Name: "test", URL: url, Folder: t.TempDir(), Timeout: time.Minute, KeepAlive: time.Second,
		FirstPause: 20 * time.Millisecond, LongestPause: 200 * time.Millisecond}
}

// dial connects until the end of the test.
func dial(t *testing.T, c opcua.EndpointConfig) *opcua.Connection {
	t.Helper()
	conn, err := opcua.Dial(t.Context(), c, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// node is one of the namespace of the tests.
func node(name string) opcua.NodeRef {
	return opcua.NodeRef{Namespace: opcuaserver.Namespace, Kind: 's', Identifier: name}
}

// trustAll moves the certificates that were rejected to those that are trusted, as an operator does.
func trustAll(t *testing.T, folder string) {
	t.Helper()
	rejected := files(t, folder, "rejected")
	if len(rejected) == 0 {
		t.Fatal("nothing was rejected")
	}
	for _, file := range rejected {
		if err := os.Rename(file, filepath.Join(folder, "trusted", filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
}

// A told value is one with the number of its message.
type told struct {
	opcua.Value
	sequence uint32
}

// A recorder is a Handler that remembers what it is told. It settles messages some messages late, as Kafka does.
type recorder struct {
	late int

	mu        sync.Mutex
	values    []told
	events    []opcua.Event
	losses    []opcua.Loss
	refused   []opcua.Refusal
	connected []opcua.Info
	gone      int
	open      []*opcua.Notification
	hold      bool // settle nothing
}

func (r *recorder) Connected(i opcua.Info) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected = append(r.connected, i)
}

func (r *recorder) Disconnected(error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone++
}

func (r *recorder) Lost(l opcua.Loss) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.losses = append(r.losses, l)
}

func (r *recorder) Refused(all []opcua.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, all...)
}

func (r *recorder) Notified(n *opcua.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range n.Values {
		r.values = append(r.values, told{v, n.Sequence})
	}
	r.events = append(r.events, n.Events...)
	r.open = append(r.open, n)
	r.settle(r.late)
}

// settle settles all but the newest messages.
func (r *recorder) settle(keep int) {
	for !r.hold && len(r.open) > keep {
		r.open[0].Settle()
		r.open = r.open[1:]
	}
}

// release settles everything from now on.
func (r *recorder) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold = false
	r.settle(0)
}

// look looks at what the recorder remembers.
func look[T any](r *recorder, at func(*recorder) T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return at(r)
}

func countOf(r *recorder) int      { return len(r.values) }
func connections(r *recorder) int  { return len(r.connected) }
func lossesOf(r *recorder) int     { return len(r.losses) }
func openMessages(r *recorder) int { return len(r.open) }

// numbers are the values of a counter, in the order in which they came. A server may tell its present value once more, in a new
// message, when a client has come back: it has the same time.
func numbers(r *recorder, of opcua.NodeRef) (all []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last told
	for _, v := range r.values {
		if v.Node != of {
			continue
		}
		if x, ok := v.Value.Value.Float(); ok && !v.again(last) {
			all = append(all, int(x))
		}
		last = v
	}
	return all
}

// again tells whether a value is the last one, told in another message.
func (v told) again(last told) bool {
	x, _ := v.Value.Value.Float()
	y, _ := last.Value.Value.Float()
	return v.sequence != last.sequence && x == y && v.SourceTime.Equal(last.SourceTime)
}

// run runs a server's client until the end of the test, or until stop is called.
func run(t *testing.T, c opcua.EndpointConfig, items []opcua.Item, h opcua.Handler) (s *opcua.Server, stop func()) {
	t.Helper()
	return runLogging(t, c, items, h, zaptest.NewLogger(t))
}

// runLogging is run with a log.
func runLogging(t *testing.T, c opcua.EndpointConfig, items []opcua.Item, h opcua.Handler, log *zap.Logger) (s *opcua.Server, stop func()) {
	t.Helper()
	s, err := opcua.NewServer(c, func(context.Context, *opcua.Connection) ([]opcua.Item, error) { return items, nil }, h, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// counter is an item that loses nothing: it has room for everything that happens between two messages.
func counter(name string) opcua.Item {
	return opcua.Item{Node: node(name), Publishing: 50 * time.Millisecond, Queue: 10_000, DiscardOldest: true}
}

// untrusted is the error about a server that is not trusted, or nil.
func untrusted(err error) *opcua.UntrustedError {
	var u *opcua.UntrustedError
	errors.As(err, &u)
	return u
}

var eventually = neighbour.Eventually
