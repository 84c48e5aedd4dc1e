package coap

import "testing"

// TestOneOwnerLeavesRoom has one owner take whatever it can, and another one after it.
func TestOneOwnerLeavesRoom(t *testing.T) {
	f := func(most int, want ...int) {
		t.Helper()
		var transfers transferred
		for i, n := range want {
			owner := string(rune('a' + i))
			for transfers.reserve(owner, 1, most) {
			}
			if transfers.of[owner] != n {
				t.Errorf("%s has %d of %d, want %d", owner, transfers.of[owner], most, n)
			}
		}
		for transfers.reserve("", 1, most) { // a client of whom nobody knows who it is
		}
		if transfers.len() != int64(most) {
			t.Errorf("%d of %d are taken", transfers.len(), most)
		}
		for owner, n := range transfers.of {
			transfers.free(owner, n)
			most -= n
		}
		if transfers.free("", most); transfers.len() != 0 || len(transfers.of) != 0 {
			t.Errorf("%d are left, of %v", transfers.len(), transfers.of)
		}
	}
	f(0, 0)
	f(1, 0, 0)
	f(100, 50, 25, 12, 6)
}
