package packet

import "testing"

func TestReasonsHaveNames(t *testing.T) {
	codes := []Reason{0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19}
	for code := UnspecifiedError; code <= WildcardNotSupported; code++ {
		codes = append(codes, code)
	}
	unknown, seen := Reason(0xFF).String(), map[string]bool{}
	for _, code := range codes {
		if name := code.String(); name == unknown || seen[name] {
			t.Errorf("%#x is called %q", byte(code), name)
		} else {
			seen[name] = true
		}
	}
	if got := NotAuthorized.String(); got != "not authorized" {
		t.Errorf("0x87 is called %q", got)
	}
	if Success.Refuses() || ReAuthenticate.Refuses() || !UnspecifiedError.Refuses() {
		t.Error("codes from 0x80 on refuse, and only those")
	}
}
