package replay

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePlace(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(text string, want Place, valid bool) {
		t.Helper()
		got, err := ParsePlace(text, now)
		if (err == nil) != valid {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	f("start", Place{Start: true}, true)
	f("2026-01-01T00:00:00Z", Place{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, true)
	f("90m", Place{Time: now.Add(-90 * time.Minute)}, true)
	f("2d", Place{Time: now.Add(-48 * time.Hour)}, true)
	f("0:12,3:0", Place{Offsets: map[int32]int64{0: 12, 3: 0}}, true)
	f("", Place{}, false)
	f("yesterday", Place{}, false)
	f("-5m", Place{}, false)
	f("-1d", Place{}, false)
	f("12", Place{}, false)
	f("0:", Place{}, false)
	f("0:-1", Place{}, false)
	f("0:1,0:2", Place{}, false)
	f("9999999999:1", Place{}, false)
}

func FuzzParsePlace(f *testing.F) {
	for _, seed := range []string{"start", "2026-01-01T00:00:00Z", "1h", "3d", "0:1,2:3", ":", "0:1,"} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		place, err := ParsePlace(text, now)
		if err != nil {
			return
		}
		again, err := ParsePlace(place.String(), now)
		if err != nil || again.String() != place.String() {
			t.Errorf("%q is %q, which is %v, %v", text, place, again, err)
		}
	})
}
