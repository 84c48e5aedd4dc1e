package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

func TestAdmission(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		f.connected()
		synctest.Wait()
		if err := f.bridge.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		want := auth.Request{Application: "plant", Device: "site", Credential: auth.Password("the-gateway's-password"), Protocol: refusal.Bridge}
		if got := f.door.asked; len(got) != 1 || got[0] != want {
			t.Errorf("asked %v", got)
		}
	})
}

// TestNotAdmitted has messages come before the gateway is admitted.
func TestNotAdmitted(t *testing.T) {
	f := func(err error) {
		t.Helper()
		bubble(t, func(t *testing.T) {
			f := newFixture(t, testConfig())
			f.door.set(err, nil)
			l := f.connected()
			l.publish(1, "site/a/x", "1")
			l.publish(2, "site/a/x", "2")
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			l.silent()
			if f.bridge.Ready(t.Context()) == nil {
				t.Error("ready without an admission")
			}
			if asked := f.door.count(); asked < 60 || asked > 130 {
				t.Errorf("asked %d times in 10 minutes", asked)
			}
			f.door.set(nil, nil)
			l.acknowledged(1, 2)
			f.stored("1", "2")
			if err := f.bridge.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	f(outcome.New(outcome.Unauthenticated, ""))
	f(outcome.New(outcome.Unavailable, ""))
	f(outcome.New(outcome.Overloaded, ""))
}

// TestRevocation takes the admission back. Nothing is stored with it any more, not even while nobody can decide on a new
// one.
func TestRevocation(t *testing.T) {
	f := func(err, asErr error) {
		t.Helper()
		bubble(t, func(t *testing.T) {
			f := newFixture(t, testConfig())
			l := f.connected()
			l.publish(1, "site/a/x", "1")
			l.acknowledged(1)
			f.door.set(err, asErr)
			synctest.Wait()
			l.publish(2, "site/a/x", "2")
			settled()
			l.silent()
			f.stored("1")
			f.door.set(nil, nil)
			l.acknowledged(2)
			f.stored("1", "2")
		})
	}
	f(outcome.New(outcome.Unauthenticated, ""), outcome.New(outcome.Forbidden, ""))
	f(outcome.New(outcome.Unavailable, ""), nil)
}
