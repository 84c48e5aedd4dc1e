package process

import (
	"math"
	"os"
	"path/filepath"
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
