package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
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
		want := auth.Request{Application: "plant", Device: "site", Credential: auth.Password("the-gateway's-password")}
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

// TestRevocationUnderWay has the gateway revoked while the registry is asked for whom it may speak.
func TestRevocationUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		synctest.Wait()
		from := f.bridge.gateway.current()
		if got := refusal(from, outcome.New(outcome.Forbidden, "")).Outcome; got != outcome.Forbidden {
			t.Errorf("outcome %v of a device that the gateway may not speak for", got)
		}
		f.door.set(outcome.New(outcome.Unauthenticated, ""), nil)
		if got := refusal(from, outcome.New(outcome.Forbidden, "")).Outcome; decided(got) {
			t.Errorf("outcome %v of a gateway that is revoked", got)
		}
		l.silent()
	})
}

// TestRevokedAndAdmittedAgain is a change of the registry that changes nothing for the gateway.
func TestRevokedAndAdmittedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		synctest.Wait()
		before := f.bridge.gateway.current()
		f.door.mu.Lock()
		close(f.door.revoked)
		f.door.mu.Unlock()
		synctest.Wait()
		if now := f.bridge.gateway.current(); now == nil || now == before || f.door.count() != 2 {
			t.Errorf("session %v after %d requests", now, f.door.count())
		}
		l.publish(1, "site/a/x", "1")
		l.acknowledged(1)
	})
}

// TestAdmissionIsRenewed has the registry refuse the gateway without a revocation, as one that is not watched does.
func TestAdmissionIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		synctest.Wait()
		f.door.mu.Lock()
		f.door.err = outcome.New(outcome.Unavailable, "")
		f.door.mu.Unlock()
		time.Sleep(10 * admissionAge)
		l.publish(1, "site/a/x", "1")
		l.acknowledged(1) // nobody has taken the admission back

		f.door.mu.Lock()
		f.door.err = outcome.New(outcome.Unauthenticated, "")
		f.door.mu.Unlock()
		time.Sleep(2 * admissionAge)
		l.publish(2, "site/a/x", "2")
		settled()
		l.silent()
		f.stored("1")
	})
}
