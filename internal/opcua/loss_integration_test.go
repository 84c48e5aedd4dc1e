//go:build integration

package opcua_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
	"github.com/fairlead/fairlead/test/opcuaserver"
	"github.com/fairlead/fairlead/test/relay"
)

// throughRelay stands a relay before a server, and configures a client that goes through it.
func throughRelay(t *testing.T, s *opcuaserver.Server) (*relay.TCP, opcua.EndpointConfig) {
	t.Helper()
	r, err := relay.StartTCP(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, config(t, "opc.tcp://"+r.Address()+"/")
}

// A connection that is cut again and again, with messages on their way, loses nothing: the session is taken up again, or with
// other keys the subscriptions are transferred to a new one, and what was swallowed is sent again.
func TestCutConnection(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	relay, c := throughRelay(t, server)
	c.KeepAlive = time.Minute // only the cut ends a connection
	r := &recorder{late: 3}
	run(t, c, []opcua.Item{counter("Press1.Counter"), counter("Press2.Counter")}, r)
	for round := range 5 {
		before := look(r, countOf)
		eventually(t, "values", func() bool { return look(r, countOf) > before+50 })
		swallowed := relay.Swallowed()
		relay.Mute(true)
		eventually(t, "messages that get lost", func() bool { return relay.Swallowed() > swallowed+500 })
		relay.Cut()
		relay.Mute(false)
		eventually(t, "another connection", func() bool { return look(r, connections) == round+2 })
	}
	before := look(r, countOf)
	eventually(t, "values in the end", func() bool { return look(r, countOf) > before+50 })
	if l := look(r, func(r *recorder) []opcua.Loss { return r.losses }); len(l) != 0 {
		t.Errorf("losses %+v", l)
	}
	verify(t, r, "Press1.Counter", "Press2.Counter")
}

// verify checks with the numbered-message checker that every number of a counter between the first and the last is there once and
// in order.
func verify(t *testing.T, r *recorder, counters ...string) {
	t.Helper()
	checker := numbered.New()
	var stored []numbered.Stored
	for _, name := range counters {
		all := numbers(r, node(name))
		if len(all) == 0 {
			t.Fatalf("no value of %s", name)
		}
		for range all[len(all)-1] - all[0] + 1 {
			checker.Answered(checker.Next(name), numbered.Acknowledged)
		}
		for i, n := range all {
			stored = append(stored, numbered.Stored{Message: numbered.Message{Device: name, Number: uint64(n - all[0] + 1)}, Offset: int64(i)})
		}
	}
	if faults := checker.Verify(stored); len(faults) > 0 {
		t.Error(numbered.Summary(faults))
	}
}

// Nobody settles: the server keeps what it has, as far as its queues go, and everything comes once there is room again.
func TestBackPressure(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		c := config(t, server.URL())
		c.Window = 3
		r := &recorder{hold: true}
		run(t, c, []opcua.Item{counter("Press1.Counter")}, r)
		eventually(t, "a full window", func() bool { return look(r, openMessages) == c.Window })
		conn := dial(t, c)
		last := look(r, countOf)
		eventually(t, "the counter to go on", func() bool {
			values, err := conn.Read(t.Context(), node("Press1.Counter"))
			if err != nil {
				t.Fatal(err)
			}
			n, _ := values[0].Value.Float()
			return int(n) > numbers(r, node("Press1.Counter"))[last-1]+100
		})
		if n := look(r, openMessages); n != c.Window {
			t.Errorf("%d messages are not settled, more than %d", n, c.Window)
		}
		r.release()
		eventually(t, "what has waited", func() bool { return look(r, countOf) > last+150 })
		verify(t, r, "Press1.Counter")
	})
}

// A server that is killed begins anew. Between its lives nobody knows what is missing, which is said; within each nothing is.
func TestKilledServer(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := startServer(t, kind, fast)
		r := &recorder{late: 3}
		run(t, config(t, server.URL()), []opcua.Item{counter("Press1.Counter")}, r)
		eventually(t, "values", func() bool { return look(r, countOf) > 50 })
		server.Kill()
		eventually(t, "the end of the connection", func() bool { return look(r, func(r *recorder) int { return r.gone }) == 1 })
		first := look(r, countOf)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "values of the second life", func() bool { return look(r, countOf) > first+50 })
		if n := look(r, lossesOf); n != 1 {
			t.Errorf("%d losses were told", n)
		}
		all := numbers(r, node("Press1.Counter"))
		contiguous(t, all[:first])
		contiguous(t, all[first:])
	})
}

// A server comes back with its namespaces in another order: nodes are found by the URI.
func TestNamespacesInAnotherOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := startServer(t, kind, opcuaserver.Options{})
		r := &recorder{}
		s, _ := run(t, config(t, server.URL()), []opcua.Item{counter("Press1.Counter")}, r)
		eventually(t, "values", func() bool { return look(r, countOf) > 3 })
		server.Kill()
		other := server.Options
		other.First = "urn:fairlead:test:first"
		again, err := opcuaserver.Start(t.Context(), kind, other)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = again.Close() })
		eventually(t, "another connection", func() bool { return look(r, connections) == 2 })
		before := look(r, countOf)
		eventually(t, "values of the second life", func() bool { return look(r, countOf) > before+3 })
		infos := look(r, func(r *recorder) []opcua.Info { return r.connected })
		if a, b := index(infos[0]), index(infos[1]); a == b {
			t.Errorf("the namespace has index %d both times", a)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// index is that of the namespace of the tests.
func index(i opcua.Info) int {
	for n, uri := range i.Namespaces {
		if uri == opcuaserver.Namespace {
			return n
		}
	}
	return -1
}

// The environment of the process that TestKilledClient kills.
const (
	childURL    = "FAIRLEAD_TEST_OPCUA_URL"
	childFolder = "FAIRLEAD_TEST_OPCUA_FOLDER"
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		child()
		return
	}
	code := m.Run()
	closeShared()
	os.Exit(code)
}

// A journal is a Handler that writes each value to a file, and settles a message when all of it is written.
type journal struct {
	recorder
	file *os.File
}

// A line is one value in a journal.
type line struct {
	ID       string    `json:"id"`
	Number   int       `json:"number"`
	Sequence uint32    `json:"sequence"`
	Source   time.Time `json:"source"`
}

func (j *journal) Notified(n *opcua.Notification) {
	var b strings.Builder
	for i, v := range n.Values {
		number, _ := v.Value.Float()
		text, _ := json.Marshal(line{n.ID(i), int(number), n.Sequence, v.SourceTime})
		b.Write(append(text, '\n'))
	}
	if _, err := j.file.WriteString(b.String()); err != nil {
		panic(err)
	}
	j.recorder.Notified(n)
}

func (j *journal) Lost(l opcua.Loss) {
	fmt.Fprintf(j.file, "lost %+v\n", l)
}

// child is a client that is to be killed. It settles late.
func child() {
	folder := os.Getenv(childFolder)
	file, err := os.OpenFile(filepath.Join(folder, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	c := opcua.EndpointConfig{Name: "child", URL: os.Getenv(childURL), Folder: folder, Policy: opcua.PolicyBasic256Sha256,
		FirstPause: 20 * time.Millisecond, LongestPause: 200 * time.Millisecond}
	j := &journal{recorder: recorder{late: 5}, file: file}
	logger, _ := zap.NewDevelopment()
	items := []opcua.Item{counter("Press1.Counter")}
	s, err := opcua.NewServer(c, func(context.Context, *opcua.Connection) ([]opcua.Item, error) { return items, nil }, j, logger)
	if err != nil {
		panic(err)
	}
	panic(s.Run(context.Background()))
}

// A process that is killed is followed by another one, which takes the subscription over: nothing is missing, and a message that comes
// twice has the same ids.
func TestKilledClient(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	c := config(t, server.URL())
	c.Policy = opcua.PolicyBasic256Sha256
	_, _ = opcua.Dial(t.Context(), c, zap.NewNop())
	trustAll(t, c.Folder)
	process, err := neighbour.StartProcess(t.Context(), neighbour.Command{Name: "client", Path: os.Args[0],
		Env: []string{childURL + "=" + c.URL, childFolder + "=" + c.Folder}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Close() })
	const rounds, each = 4, 100
	for round := range rounds {
		eventually(t, "values in the journal", func() bool { return len(readJournal(t, c.Folder)) > (round+1)*each })
		process.Kill()
		if round < rounds-1 {
			if err := process.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	type told struct {
		number   int
		sequence uint32
	}
	last, ids, times := 0, map[told]string{}, map[int]time.Time{}
	for i, l := range readJournal(t, c.Folder) {
		if id, twice := ids[told{l.Number, l.Sequence}]; twice && id != l.ID {
			t.Errorf("%d of message %d has the ids %s and %s", l.Number, l.Sequence, id, l.ID)
		}
		// A server may tell its present value once more, in a new message, when a client has come back.
		if at, twice := times[l.Number]; twice && !at.Equal(l.Source) {
			t.Errorf("%d is of %v and of %v", l.Number, at, l.Source)
		}
		ids[told{l.Number, l.Sequence}], times[l.Number] = l.ID, l.Source
		if i > 0 && l.Number > last+1 {
			t.Fatalf("%d follows %d", l.Number, last)
		}
		last = max(last, l.Number)
	}
}

// readJournal reads the values that a child has written, without a line that it has not finished.
func readJournal(t *testing.T, folder string) (all []line) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "journal"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for one := range strings.Lines(string(text)) {
		if strings.HasPrefix(one, "lost") {
			t.Fatal(one)
		}
		var l line
		if err := json.Unmarshal([]byte(one), &l); err == nil {
			all = append(all, l)
		}
	}
	return all
}

// A client that was stopped in order is followed by another one: nothing is missing, and nothing comes twice, also if the last
// messages were settled only after it had stopped.
func TestStoppedClient(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	c := config(t, server.URL())
	r := &recorder{late: 5}
	items := []opcua.Item{counter("Press1.Counter"), counter("Press2.Counter")}
	for range 3 {
		before := look(r, countOf)
		_, stop := run(t, c, items, r)
		eventually(t, "values", func() bool { return look(r, countOf) > before+100 })
		stop()
		r.release()
	}
	if l := look(r, func(r *recorder) []opcua.Loss { return r.losses }); len(l) != 0 {
		t.Errorf("losses %+v", l)
	}
	verify(t, r, "Press1.Counter", "Press2.Counter")
	infos := look(r, func(r *recorder) []opcua.Info { return r.connected })
	for i, info := range infos {
		if info.Resumed != (i > 0) {
			t.Errorf("connection %d of %d: resumed %t", i+1, len(infos), info.Resumed)
		}
	}
}
