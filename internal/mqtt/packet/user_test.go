package packet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserProperties(t *testing.T) {
	u := UserProperties(nil).Append("a", "1").Append("a", "2").Append("", "ü")
	if diff := cmp.Diff([]pair{{"a", "1"}, {"a", "2"}, {"", "ü"}}, pairs(u)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, value := range u.All() {
		if name != "a" || value != "1" {
			t.Errorf("the iteration goes on: %q, %q", name, value)
		}
		break
	}
	if got := pairs(nil); got != nil {
		t.Errorf("no user properties are %v", got)
	}
}

// TestUserPropertiesSkip every property that can lie between two of them.
func TestUserPropertiesSkip(t *testing.T) {
	for _, r := range rows() {
		switch r.id {
		case 0x12, 0x13, 0x1A, 0x1C, 0x24, 0x25, 0x26, 0x28, 0x29, 0x2A: // of a server
			continue
		}
		u := UserProperties(raw(user("a", "1"), r.id, r.value, user("b", "2")))
		if diff := cmp.Diff([]pair{{"a", "1"}, {"b", "2"}}, pairs(u)); diff != "" {
			t.Errorf("property %#x (-want +got):\n%s", r.id, diff)
		}
	}
}

// TestBrokenUserProperties that did not come from a packet end where they break.
func TestBrokenUserProperties(t *testing.T) {
	whole := raw(user("a", "1"), user("b", "2"))
	for cut := range whole {
		if got := pairs(UserProperties(whole[:cut])); len(got) > 1 || cut >= 7 && len(got) != 1 {
			t.Errorf("%d bytes of them: %v", cut, got)
		}
	}
	if got := pairs(UserProperties(raw(user("a", "1"), 0x00, user("b", "2")))); len(got) != 1 {
		t.Errorf("after what is no property: %v", got)
	}
}
