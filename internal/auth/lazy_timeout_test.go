package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLazyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := WithLazyTimeout(t.Context(), time.Second)
		defer p.Cancel()
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

func TestLazyTimeoutEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		p := WithLazyTimeout(parent, time.Second)
		defer p.Cancel()
		if until, _ := p.Deadline(); time.Until(until) != time.Millisecond {
			t.Errorf("deadline in %v", time.Until(until))
		}
		<-p.Done()
		if !errors.Is(p.Err(), context.DeadlineExceeded) {
			t.Error(p.Err())
		}
	})
}

func TestLazyTimeoutIsReleased(t *testing.T) {
	p := WithLazyTimeout(t.Context(), time.Hour)
	done := p.Done()
	p.Cancel()
	<-done
	if !errors.Is(p.started().Err(), context.Canceled) {
		t.Error(p.started().Err())
	}
	WithLazyTimeout(t.Context(), time.Hour).Cancel() // nobody waited
}
