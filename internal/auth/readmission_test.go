package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// verdicts are given one after the other, the last one again and again.
type verdicts struct {
	Authenticator
	left []any // a device's UID, or an error
}

func (v *verdicts) Authenticate(context.Context, Request) (*Session, error) {
	verdict := v.left[0]
	if len(v.left) > 1 {
		v.left = v.left[1:]
	}
	if err, ok := verdict.(error); ok {
		return nil, err
	}
	return madeAs(verdict.(string)), nil
}

func madeAs(uid string) *Session {
	return &Session{Application: &registry.Application{}, Device: &registry.Device{Metadata: registry.Metadata{Name: "d", UID: uid}}}
}

func TestReadmission(t *testing.T) {
	unavailable, overloaded := outcome.New(outcome.Unavailable, ""), outcome.New(outcome.Overloaded, "")
	f := func(want outcome.Outcome, all ...any) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			r := NewReadmission(&verdicts{left: all}, time.Second, time.Minute)
			session, err := r.Ask(t.Context(), madeAs("1"), Request{})
			if got := outcome.Of(err); got != want || (session != nil) != (want == outcome.Accepted) {
				t.Errorf("%v: %v, %v", all, session, err)
			}
			if took := time.Since(began); (want == outcome.Unavailable) != (took >= time.Minute) {
				t.Errorf("%v took %v", all, took)
			}
		})
	}
	f(outcome.Accepted, "1")
	f(outcome.Accepted, unavailable, overloaded, "1")
	f(outcome.Unauthenticated, unavailable, outcome.New(outcome.Unauthenticated, ""))
	f(outcome.Forbidden, outcome.New(outcome.Forbidden, ""), "1")
	f(outcome.Unauthenticated, "2") // deleted and made anew
	f(outcome.Unavailable, unavailable)
}

func TestSameDevices(t *testing.T) {
	as := madeAs("1")
	as.As = &registry.Device{Metadata: registry.Metadata{Name: "other", UID: "3"}}
	f := func(a, b *Session, want bool) {
		t.Helper()
		if a.SameDevices(b) != want || b.SameDevices(a) != want {
			t.Errorf("%+v and %+v: want %v", a, b, want)
		}
	}
	f(madeAs("1"), madeAs("1"), true)
	f(madeAs("1"), madeAs("2"), false)
	f(madeAs("1"), as, false)
	f(as, as, true)
}
