package endpoint

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := withLazyTimeout(t.Context(), time.Second)
		defer p.cancel()
		if until, ok := p.Deadline(); !ok || time.Until(until) != time.Second || p.Err() != nil {
			t.Errorf("deadline %v, error %v", until, p.Err())
		}
		began := time.Now()
		<-p.Done()
		if time.Since(began) != time.Second || !errors.Is(p.Err(), context.DeadlineExceeded) {
			t.Errorf("ended after %v with %v", time.Since(began), p.Err())
		}
	})
}

func TestPatienceEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		p := withLazyTimeout(parent, time.Second)
		defer p.cancel()
		if until, _ := p.Deadline(); time.Until(until) != time.Millisecond {
			t.Errorf("deadline in %v", time.Until(until))
		}
		<-p.Done()
		if !errors.Is(p.Err(), context.DeadlineExceeded) {
			t.Error(p.Err())
		}
	})
}

func TestPatienceIsReleased(t *testing.T) {
	p := withLazyTimeout(t.Context(), time.Hour)
	done := p.Done()
	p.cancel()
	<-done
	if !errors.Is(p.started().Err(), context.Canceled) {
		t.Error(p.started().Err())
	}
	withLazyTimeout(t.Context(), time.Hour).cancel() // nobody waited
}
