package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauses(t *testing.T) {
	const first, longest = 100 * time.Millisecond, 10 * time.Second
	for range 1000 {
		p := New(first, longest)
		if d := p.Next(); d < first*2/3 || d > first*4/3+1 {
			t.Fatalf("first pause %v", d)
		}
		for range 20 {
			if d := p.Next(); d > longest {
				t.Fatalf("pause %v", d)
			}
		}
		if d := p.Next(); d < longest/2-1 {
			t.Fatalf("last pause %v", d)
		}
		p.Reset()
		if d := p.Next(); d > first*4/3+1 {
			t.Fatalf("pause %v after a success", d)
		}
	}
}

func TestLongestBelowFirst(t *testing.T) {
	if d := New(time.Second, 10*time.Millisecond).Next(); d > 10*time.Millisecond {
		t.Errorf("pause %v", d)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !Wait(t.Context(), time.Hour) || time.Since(began) != time.Hour {
			t.Errorf("waited %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if Wait(ctx, time.Hour) {
			t.Error("went on after the context ended")
		}
	})
}
