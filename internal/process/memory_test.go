package process

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
)

// tuned runs tuneMemory with an environment and the content of the limit file, and tells what is in force then. Both
// settings are those of the process, so they are put back.
func tuned(t *testing.T, environment map[string]string, content string) (percent int, limit int64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "memory.max")
	if content != "" {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	percentBefore, limitBefore := debug.SetGCPercent(77), debug.SetMemoryLimit(math.MaxInt64)
	tuneMemory(400, func(name string) (string, bool) { v, ok := environment[name]; return v, ok }, file)
	return debug.SetGCPercent(percentBefore), debug.SetMemoryLimit(limitBefore)
}

func TestTuneMemory(t *testing.T) {
	f := func(what string, environment map[string]string, content string, wantPercent int, wantLimit int64) {
		t.Helper()
		if percent, limit := tuned(t, environment, content); percent != wantPercent || limit != wantLimit {
			t.Errorf("%s: percent %d and limit %d, want %d and %d", what, percent, limit, wantPercent, wantLimit)
		}
	}
	f("no container", nil, "", 400, math.MaxInt64)
	f("a container without a limit", nil, "max\n", 400, math.MaxInt64)
	f("a container of 256 MiB", nil, "268435456\n", 400, 268435456/100*80)
	f("something else", nil, "-1", 400, math.MaxInt64)
	f("own limit", map[string]string{"GOMEMLIMIT": "1GiB"}, "268435456\n", 400, math.MaxInt64)
	f("own percent", map[string]string{"GOGC": "100"}, "268435456\n", 77, 268435456/100*80)
}

func TestGrowthFor(t *testing.T) {
	f := func(live uint64, least, want int) {
		t.Helper()
		if got := growthFor(live, least); got != want {
			t.Errorf("growthFor(%d, %d) = %d, want %d", live, least, got, want)
		}
	}
	f(0, 50, 3200)
	f(8<<20, 50, 400)
	f(32<<20, 50, 100)
	f(64<<20, 50, 50)
	f(1<<30, 50, 50)
	f(8<<20, 500, 500)
}

// TestGrowthFollowsCollections has garbage collected, and waits for the growth that is set then.
func TestGrowthFollowsCollections(t *testing.T) {
	set := make(chan int)
	live := []uint64{2 << 20, 2<<20 + 1, 64 << 20, 16 << 20} // of which the second changes nothing
	g := &growth{least: 50, now: 50, set: func(percent int) int { set <- percent; return 0 }}
	g.live = func() uint64 {
		if len(live) == 0 {
			return 16 << 20
		}
		next := live[0]
		live = live[1:]
		return next
	}
	g.followCollections(t.Context())
	for _, want := range []int{1600, 50, 200} {
		for got := 0; got != want; {
			runtime.GC()
			select {
			case got = <-set:
				if got != want {
					t.Fatalf("the heap may grow by %d %%, want %d", got, want)
				}
			default: // nothing to change, or not yet done
				runtime.Gosched()
			}
		}
	}
}
