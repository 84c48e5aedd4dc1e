package refusal

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/outcome"
)

func wrongPassword() Report {
	return Report{Protocol: HTTP, Where: "POST /v1/x", Application: "app", Device: "device", Outcome: outcome.Unauthenticated, Answer: "403", Reason: "wrong password"}
}

// TestFold shows the first of a kind at once, and then how many more came.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown []Folded
		f := NewFold(func(r Folded) { shown = append(shown, r) })
		other := wrongPassword()
		other.Device = "other"
		for range 5 {
			f.Add(wrongPassword())
		}
		f.Add(other)
		if len(shown) != 2 || shown[0].Report != wrongPassword() || shown[1].Report != other {
			t.Fatalf("shown %+v", shown)
		}
		time.Sleep(FoldWindow)
		synctest.Wait()
		if len(shown) != 3 || shown[2].More != 4 || shown[2].Report != wrongPassword() {
			t.Errorf("shown %+v", shown)
		}
		time.Sleep(3 * FoldWindow)
		synctest.Wait()
		f.Add(wrongPassword()) // is news again
		f.Close()
		f.Add(other)
		if len(shown) != 4 || shown[3].More != 0 {
			t.Errorf("shown %+v", shown)
		}
	})
}

// TestFoldIsBounded has more kinds than are remembered.
func TestFoldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last Folded
		lines := 0
		f := NewFold(func(r Folded) { last = r; lines++ })
		for n := range 10 * maxKinds {
			r := wrongPassword()
			r.Device = fmt.Sprint(n)
			f.Add(r)
		}
		f.Close()
		if lines != maxKinds+1 || !last.Others || last.More != 9*maxKinds {
			t.Errorf("%d lines, the last %+v", lines, last)
		}
	})
}

func TestLog(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	var seen []Report
	l := NewLog(zap.New(core), func(r Report) { seen = append(seen, r) })
	long := wrongPassword()
	long.Where = strings.Repeat("ä", 10_000) + "\xff"
	l.Report(long)
	for range 1000 {
		l.Report(wrongPassword())
	}
	if len(seen) != 1001 || len(seen[0].Where) > maxText+len("…") {
		t.Errorf("%d reports are seen, the first has %d bytes", len(seen), len(seen[0].Where))
	}
	if n := lines.Len(); n < logFirst || n > 100 {
		t.Errorf("%d lines of 1001 refusals", n)
	}
	fields := lines.All()[1].ContextMap()
	if fields["reason"] != "wrong password" || fields["device"] != "device" || fields["outcome"] != "unauthenticated" {
		t.Errorf("fields %v", fields)
	}
	(*Log)(nil).Report(wrongPassword())
}
