package registry

import (
	"fmt"
	"strings"
	"testing"
)

func TestSaltedHash(t *testing.T) {
	// What printf %s saltsaltsecret | sha256sum prints.
	const known = "saltsalt$27b0d9f5088892201b4d5341d34eeca7dfd3b19a6a4f35c536dda0cbed45e701"
	f := func(text, secret string, want bool) {
		t.Helper()
		h, err := ParseSaltedHash(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if h.Is(secret) != want || h.Text() != strings.ToLower(text) {
			t.Errorf("%s is %s for %q: %v, want %v", text, h.Text(), secret, !want, want)
		}
	}
	f(known, "secret", true)
	f("saltsalt$27B0D9F5088892201B4D5341D34EECA7DFD3B19A6A4F35C536DDA0CBED45E701", "secret", true)
	f(known, "secreT", false)
	f(known, "", false)
	f(known, "saltsecret", false)
	made := NewSaltedHash("secret")
	f(strings.ToLower(made.Text()), "other", false)
	if !made.Is("secret") || made.Text() == NewSaltedHash("secret").Text() {
		t.Error("a new hash is not that of its secret, or has no salt of its own")
	}
	if text := fmt.Sprintf("%v %+v %#v", made, made, made); strings.Contains(text, made.salt) {
		t.Errorf("text output has the salt: %s", text)
	}
}

func TestSaltedHashesThatAreNone(t *testing.T) {
	digits := strings.Repeat("a", 64)
	for _, text := range []string{
		"", "$", "saltsalt", "saltsalt$", "$" + digits, "short$" + digits, strings.Repeat("s", 65) + "$" + digits,
		"salt-salt$" + digits, "saltsält$" + digits, "saltsalt$" + digits[1:], "saltsalt$" + digits + "a", "saltsalt$" + digits[1:] + "g",
		"saltsalt$$" + digits, " saltsalt$" + digits, "saltsalt$" + digits + "\n",
	} {
		if h, err := ParseSaltedHash(text); err == nil || h != (SaltedHash{}) {
			t.Errorf("%q is read: %v", text, err)
		}
	}
}

// FuzzParseSaltedHash has every text that is read be written alike.
func FuzzParseSaltedHash(f *testing.F) {
	f.Add("saltsalt$" + strings.Repeat("0f", 32))
	f.Add("saltsalt$" + strings.Repeat("0F", 32))
	f.Add("$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseSaltedHash(text)
		if err != nil {
			return
		}
		again, err := ParseSaltedHash(h.Text())
		if err != nil || again != h || !strings.EqualFold(h.Text(), text) {
			t.Errorf("%q is written as %q, %v", text, h.Text(), err)
		}
	})
}
