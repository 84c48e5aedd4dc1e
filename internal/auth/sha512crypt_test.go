package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestSHA512Crypt(t *testing.T) {
	f := func(password, hash string) {
		t.Helper()
		h, err := parseSHA512Crypt(hash)
		if err != nil {
			t.Errorf("%s: %v", hash, err)
			return
		}
		if h.compute(password) != h.sum {
			t.Errorf("%q does not match %s", password, hash)
		}
		if h.compute(password+"x") == h.sum {
			t.Errorf("%q and more matches %s", password, hash)
		}
	}
	// Vectors of the specification.
	f("Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1")
	f("Hello world!", "$6$rounds=10000$saltstringsaltstring$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.")
	f("This is just a test", "$6$rounds=5000$toolongsaltstring$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0")
	f("we have a short salt string but not a short password", "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0")
	f("the minimum number is still observed", "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.")
	f("the minimum number is still observed", "$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.")
	// From openssl passwd -6.
	f("bar", "$6$salt$Ze/MKMxKpQo1udzba653kOf5ugW59LjLO1AN8RfnOVfSt96n42CvPJ/rk1HF1iOVRF2YHmyfEftJnnuZ0w0du1")
	f("", "$6$x$QSmr1Bx2g4O6BzKvdkgOcyU6H91X6I/XBv5pSalMhSPkwdH6Beo3F455xZJg0v//bxVK5F4OE5k1.0xuR26MK0")
	f(strings.Repeat("ü", 40), "$6$abcdefghijklmnop$.hLFKcQwcBnqh.pLDQg4wNykI.WRK9YVEDPBxH5/x99k4nf1rK/sIlztoCJvqKkDR/f20xsSD1YX9EeC/LAaY.")
	f(strings.Repeat("a", 200), "$6$./09AZaz$xDICWGUj8IJBQjeCCoGAa1.RHIdAJOlR1gMTSIOr9xCl1/ORyC5/neTylt0kc6ToG7kLp/O5ZkvRyCJBVYRM8.")
	f("baz", "$6$wd0Uq4mq$Sy9HvJjQ5bm3DulGE2MhMtuU6po3a/O8AYwtQLMNF59XkJycEiu5951S0Qm7oPhKD1qh4LcNO84eo8JftFxFz1")
}

func TestParseSHA512CryptRefuses(t *testing.T) {
	f := func(hash string, want error) {
		t.Helper()
		if _, err := parseSHA512Crypt(hash); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", hash, err, want)
		}
	}
	sum := strings.Repeat(".", 86)
	f("", errHashFormat)
	f("$6$", errHashFormat)
	f("$5$salt$"+sum, errHashFormat)
	f("$6$salt$"+sum[1:], errHashFormat)
	f("$6$salt"+sum, errHashFormat)
	f("$6$rounds=5000salt$"+sum, errHashFormat)
	f("$6$rounds=-1$salt$"+sum, errHashFormat)
	f("$6$rounds=99999999999999999999$salt$"+sum, errHashFormat)
	f("$6$rounds=100001$salt$"+sum, errHashTooSlow)
	f("$6$rounds=100000$salt$"+sum, nil)
}

func FuzzParseSHA512Crypt(f *testing.F) {
	f.Add("$6$saltstring$" + strings.Repeat("a", 86))
	f.Add("$6$rounds=1000$$" + strings.Repeat("a", 86))
	f.Fuzz(func(t *testing.T, hash string) {
		h, err := parseSHA512Crypt(hash)
		if err == nil && (h.rounds < minRounds || h.rounds > maxRounds || len(h.salt) > maxSalt || len(h.compute("x")) != 86) {
			t.Fatalf("%q became %+v", hash, h)
		}
	})
}
