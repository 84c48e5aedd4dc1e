package presence

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestWitness replays what a process reads of the heartbeats of others, with a life of 8 s.
func TestWitness(t *testing.T) {
	type look struct {
		at     time.Duration // when it asks
		took   time.Duration // to get the answer
		living map[string]string
		dead   []string
	}
	f := func(what string, looks ...look) {
		t.Helper()
		w, start := &witness{life: 8 * time.Second}, time.Now()
		for _, l := range looks {
			asked := start.Add(l.at * time.Second)
			dead := w.overdue(asked, asked.Add(l.took*time.Second), l.living, "me")
			var names []string
			for name, beat := range dead {
				if beat != l.living[name] {
					t.Errorf("%s: at %d: %s is dead with heartbeat %s", what, l.at, name, beat)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			if !slices.Equal(names, l.dead) {
				t.Errorf("%s: at %d: dead are %v, want %v", what, l.at, names, l.dead)
			}
		}
	}
	one := func(beat string) map[string]string { return map[string]string{"me": "1", "a": beat} }
	f("alive", look{0, 0, one("1"), nil}, look{3, 0, one("2"), nil}, look{6, 0, one("3"), nil}, look{9, 0, one("4"), nil}, look{12, 0, one("5"), nil})
	f("dead", look{0, 0, one("1"), nil}, look{3, 0, one("1"), nil}, look{6, 0, one("1"), nil}, look{7, 0, one("1"), nil},
		look{8, 0, one("1"), []string{"a"}}, look{9, 0, one("1"), []string{"a"}}, look{10, 0, map[string]string{"me": "9"}, nil})
	f("alive at the last moment", look{0, 0, one("1"), nil}, look{4, 0, one("1"), nil}, look{7, 0, one("2"), nil}, look{10, 0, one("2"), nil},
		look{14, 0, one("2"), nil}, look{15, 0, one("2"), []string{"a"}})
	f("the witness was away", look{0, 0, one("1"), nil}, look{4, 0, one("1"), nil}, look{9, 0, one("1"), nil}, look{13, 0, one("1"), nil},
		look{16, 0, one("1"), nil}, look{17, 0, one("1"), []string{"a"}})
	f("slow answers", look{0, 3, one("1"), nil}, look{3, 3, one("1"), nil}, look{6, 3, one("1"), nil}, look{10, 0, one("1"), nil},
		look{11, 0, one("1"), []string{"a"}})
	f("a newcomer has his time", look{0, 0, one("1"), nil}, look{4, 0, map[string]string{"me": "2", "a": "2", "b": "1"}, nil},
		look{8, 0, map[string]string{"me": "3", "a": "2", "b": "1"}, nil},
		look{12, 0, map[string]string{"me": "4", "a": "2", "b": "1"}, []string{"a", "b"}})
}

func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeart(8 * time.Second)
		f := func(what string, hopeful, beats, sure bool) {
			t.Helper()
			if h.hopeful() != hopeful || h.beats() != beats || h.sure() != sure {
				t.Errorf("%s: hopeful %t, beats %t, sure %t", what, h.hopeful(), h.beats(), h.sure())
			}
		}
		f("at first", true, false, false)
		time.Sleep(8 * time.Second)
		f("without any heartbeat", false, false, false)
		h.arrived(time.Now())
		f("with one", true, true, true)
		time.Sleep(6 * time.Second)
		f("when it is old", true, true, false)
		time.Sleep(2 * time.Second)
		f("when it is too old", false, false, false)
		h.arrived(time.Now())
		f("with another", true, true, true)
	})
}
