package feed

import "testing"

// TestOneApplicationLeavesRoom has one application take whatever it can, and another one after it.
func TestOneApplicationLeavesRoom(t *testing.T) {
	f := func(most int, want ...int) {
		t.Helper()
		var p places
		for i, n := range want {
			name := string(rune('a' + i))
			for p.open(name, most) {
				p.add(name, 1)
			}
			if p.of[name] != n {
				t.Errorf("application %s has %d of %d, want %d", name, p.of[name], most, n)
			}
		}
		for name, n := range p.of {
			p.add(name, -n)
		}
		if p.taken != 0 || len(p.of) != 0 {
			t.Errorf("%d are taken, by %v", p.taken, p.of)
		}
	}
	f(0, 0)
	f(1, 1, 0)
	f(2, 2, 0)
	f(100, 51, 25, 13, 6)
	f(10_000, 5_001, 2_500, 1_250)
}
