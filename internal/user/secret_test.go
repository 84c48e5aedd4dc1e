package user

import (
	"strings"
	"testing"
)

// vector is the valid token of the wire contract.
const vector = "drg_012345_01234567890123456789012345678920BetF"

func TestSplitSecret(t *testing.T) {
	f := func(secret, wantPrefix string) {
		t.Helper()
		prefix, ok := splitSecret(secret)
		if prefix != wantPrefix || ok != (wantPrefix != "") {
			t.Errorf("splitSecret(%q) = %q, %v; want %q", secret, prefix, ok, wantPrefix)
		}
	}
	f(vector, "drg_012345")
	f("", "")
	f("drg_", "")
	f(vector[:bodyLength], "")
	f(vector+"0", "")
	f(vector[:len(vector)-1], "")
	f(strings.Replace(vector, "drg_", "DRG_", 1), "")
	f(strings.Replace(vector, "5_0", "500", 1), "")
	f(strings.Replace(vector, "20BetF", "20BetG", 1), "")
	f(strings.Replace(vector, "20BetF", "020BetF", 1), "")
	f(strings.Replace(vector, "_01", "_-1", 1), "")
	f(strings.Replace(vector, "drg_0", "drg_\x00", 1), "")
	for _, leadingZero := range []string{"0", "00"} { // a checksum has one spelling
		f(vector[:bodyLength]+leadingZero+vector[bodyLength:], "")
	}
}

func TestHashSecret(t *testing.T) {
	hash := hashSecret(vector)
	if !strings.HasPrefix(hash, "d08a9d56") || len(hash) != 128 {
		t.Errorf("the hash of the wire contract's token is %s", hash)
	}
}

func TestNewSecret(t *testing.T) {
	seen, characters := map[string]bool{}, map[rune]int{}
	for range 2000 {
		secret := newSecret()
		prefix, ok := splitSecret(secret)
		if !ok || !isPrefix(prefix) || seen[secret] {
			t.Fatalf("new token %q: prefix %q, %v, seen before %v", secret, prefix, ok, seen[secret])
		}
		seen[secret] = true
		for _, c := range secret[prefixLength+1 : bodyLength] {
			characters[c]++
		}
	}
	for _, c := range alphabet { // 60,000 characters, each expected 968 times; 6 standard deviations are 187
		if n := characters[c]; n < 760 || n > 1180 {
			t.Errorf("%c was drawn %d times", c, n)
		}
	}
}

func FuzzSplitSecret(f *testing.F) {
	f.Add(vector)
	f.Add(newSecret())
	f.Add("drg_012345_")
	f.Fuzz(func(t *testing.T, secret string) {
		prefix, ok := splitSecret(secret)
		if !ok {
			return
		}
		if !isPrefix(prefix) || secret != secret[:bodyLength]+checksum(secret[:bodyLength]) {
			t.Errorf("%q is taken for a token", secret)
		}
	})
}
