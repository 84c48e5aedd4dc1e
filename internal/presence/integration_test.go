//go:build integration

package presence

import (
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		os.Exit(child())
	}
	os.Exit(neighbour.Main(m))
}

func TestPresenceOnRedis(t *testing.T) {
	server := neighbour.SharedRedis(t)
	behaviours(t, func(t *testing.T) string { return server.Database(t) })
}

func startRedis(t *testing.T, options ...neighbour.RedisOption) *neighbour.Redis {
	t.Helper()
	server, err := neighbour.StartRedis(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// TestRedisKilled: sessions go on without Redis, their ends are made known afterwards, and a Redis that comes back
// without its data, or with all of it, holds what it should.
func TestRedisKilled(t *testing.T) {
	f := func(name string, options ...neighbour.RedisOption) {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t, options...)
			i := newInstallation(t, server.URL())
			first, second := i.process(), i.process()
			kept, taken := first.connect("kept", will("gone", "1")), first.connect("taken", will("gone", "1"))
			released, normal := first.connect("released", will("gone", "1")), second.connect("normal", will("gone", "1"))
			i.settles()
			server.Kill()
			released.Release(true)
			normal.Release(false)
			if _, err := second.try("other", nil); outcome.Of(err) != outcome.Unavailable {
				t.Errorf("Claim without Redis: %v", err)
			}
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			i.becomes("released", "true gone=1 false")
			i.becomes("normal", "true false")
			eventually(t, "the sessions to be registered", func() bool { return first.holds("kept") && first.holds("taken") })
			second.connect("taken", nil)
			i.becomes("taken", "true gone=1 false true")
			eventually(t, "the session to be told", func() bool { return taken.losses.Load() == 1 })
			kept.Release(true)
			i.becomes("kept", "true gone=1 false")
			i.settles()
			if n := kept.losses.Load(); n != 0 {
				t.Errorf("lost was called %d times", n)
			}
		})
	}
	f("without its data")
	f("with its data", neighbour.RedisAppendOnly())
}

// TestRedisHangs: for longer than a life nobody is answered, and nobody is declared dead.
func TestRedisHangs(t *testing.T) {
	server := startRedis(t)
	i := newInstallation(t, server.URL())
	i.config.Life = mortal
	first, second := i.process(), i.process()
	a := first.connect("a", will("gone", "1"))
	b := second.connect("b", will("gone", "1"))
	i.settles()
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both to miss Redis", func() bool {
		return first.Ready(t.Context()) != nil && second.Ready(t.Context()) != nil
	})
	b.Release(true)
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	i.becomes("b", "true gone=1 false")
	eventually(t, "both to be ready", func() bool { return first.Ready(t.Context()) == nil && second.Ready(t.Context()) == nil })
	if first.life+second.life != 0 || a.losses.Load() != 0 || i.log.words("a") != "true" {
		t.Errorf("lives %d and %d, lost %d times, %s", first.life, second.life, a.losses.Load(), i.log.words("a"))
	}
	a.Release(false)
	i.becomes("a", "true false")
}

// TestProcessKilled kills a process with SIGKILL while its devices come and go, several times, and looks at what two
// survivors with the default configuration make of it.
func TestProcessKilled(t *testing.T) {
	server := startRedis(t)
	j := newJournal(t, server.URL())
	j.survivor()
	j.survivor()
	for round := range 2 {
		c := j.child(round, "flapping")
		eventually(t, "the child to be busy", func() bool { return j.length() > (round+1)*2000 })
		killed := time.Now()
		c.Kill()
		eventually(t, "its devices to be released", func() bool { return j.quiet() })
		t.Logf("all devices were released %v after the kill", time.Since(killed).Round(100*time.Millisecond))
	}
	j.settles()
	for device, events := range j.read() {
		alternate(t, once(events))
		if last := events[len(events)-1].what; last != "false" {
			t.Errorf("%s ends with %s", device, last)
		}
	}
}

// TestProcessPaused freezes a process until others have cleaned up after it, and lets it go on.
func TestProcessPaused(t *testing.T) {
	server := startRedis(t)
	j := newJournal(t, server.URL())
	survivor := j.survivor()
	c := j.child(0, "steady")
	eventually(t, "the child's devices to be connected", func() bool { return j.length() == childDevices })
	j.settles()
	if err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its devices to be released", func() bool { return j.quiet() })
	again := survivor.connect(childDevice(0, 1), nil)
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child to be told", func() bool { return j.lost() == childDevices })
	again.Release(false)
	j.settles()
	all := j.read()
	for n := range childDevices {
		device, want := childDevice(0, n), "true gone=x false"
		if n == 1 {
			want += " true false"
		}
		if got := words(all[device]); got != want {
			t.Errorf("%s: %s, want %s", device, got, want)
		}
		alternate(t, all[device])
	}
}
