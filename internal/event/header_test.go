package event

import "testing"

// TestHeaderValue sends what the CloudEvents HTTP binding wants percent-encoded.
func TestHeaderValue(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := HeaderValue(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	f("", "")
	f("plain/text~!*'();:@&=+$,[]", "plain/text~!*'();:@&=+$,[]")
	f("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80")
	f(`100% "q"`, "100%25%20%22q%22")
	f(" x ", "%20x%20")
	f("a\r\nb\x00\x7f", "a%0D%0Ab%00%7F")
	f("example%2Dapp/device1", "example%252Dapp/device1")
}
