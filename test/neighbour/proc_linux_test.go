package neighbour

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	f := func(text string, want stat) {
		t.Helper()
		got, err := parseStat([]byte(text))
		if err != nil {
			t.Errorf("parseStat(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(stat{})); diff != "" {
			t.Errorf("parseStat(%q) (-want +got):\n%s", text, diff)
		}
	}
	f("7 (redis-server) S 1 7 7 0 -1 4194560 9 8 7 6 150 20 3 1 20 0 6 0 99 1 2", stat{state: 'S', parent: 1, cpu: 1740 * time.Millisecond})
	f("7 (a) R (b) Z 4 7 7 0 -1 4194560 9 8 7 6 0 0 0 0 20 0 6 0 99 1 2\n", stat{state: 'Z', parent: 4})

	bad := func(text string) {
		t.Helper()
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("parseStat(%q) = %v, want an error", text, got)
		}
	}
	bad("")
	bad("7 (cut) S 1 7")
	bad("7 (a) S x 7 7 0 -1 4194560 9 8 7 6 150 20 3 1 20")
	bad("7 (a) S 1 7 7 0 -1 4194560 9 8 7 6 150 y 3 1 20")
	bad("7 (a) SS 1 7 7 0 -1 4194560 9 8 7 6 150 20 3 1 20")
}
