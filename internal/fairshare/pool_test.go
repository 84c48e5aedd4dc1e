package fairshare

import "testing"

// TestOneOwnerLeavesRoom has one owner take whatever it can, another one after it, and at last whoever is not known.
func TestOneOwnerLeavesRoom(t *testing.T) {
	f := func(most int, want ...int) {
		t.Helper()
		var p Pool
		for i, n := range want {
			owner := string(rune('a' + i))
			for p.Take(owner, 1, most) {
			}
			if p.of[owner] != n {
				t.Errorf("%s has %d of %d, want %d", owner, p.of[owner], most, n)
			}
		}
		for p.Take("", 1, most) {
		}
		if p.Len() != most {
			t.Errorf("%d of %d are taken", p.Len(), most)
		}
		rest := most
		for owner, n := range p.of {
			p.Return(owner, n)
			rest -= n
		}
		if p.Return("", rest); p.Len() != 0 || len(p.of) != 0 {
			t.Errorf("%d are left, of %v", p.Len(), p.of)
		}
	}
	f(0, 0)
	f(1, 1, 0)
	f(2, 2, 0)
	f(100, 51, 25, 13, 6)
	f(10_000, 5_001, 2_500, 1_250)

	var p Pool
	if p.Take("a", 11, 10) || !p.Take("a", 10, 10) || p.Take("", 1, 10) {
		t.Error("more is taken than there is, or less")
	}
}
