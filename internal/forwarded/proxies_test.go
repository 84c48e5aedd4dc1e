package forwarded

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// seen is the address that a handler behind the proxies sees.
func seen(t testing.TB, c Config, peer string, header http.Header) (address string) {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr, r.Header = peer, header
	p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { address = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
	return address
}

func lines(name string, values ...string) http.Header {
	return http.Header{http.CanonicalHeaderKey(name): values}
}

func TestSender(t *testing.T) {
	knative := Config{Trusted: []string{"127.0.0.0/8", "::1", "10.0.0.0/8"}}
	f := func(want string, c Config, peer string, header http.Header) {
		t.Helper()
		if got := seen(t, c, peer, header); got != want {
			t.Errorf("%v from %s: %q, want %q", header, peer, got, want)
		}
	}
	const peer = "127.0.0.1:1234"
	f(peer, Config{}, peer, lines("X-Forwarded-For", "192.0.2.1"))
	f("198.51.100.1:5", knative, "198.51.100.1:5", lines("X-Forwarded-For", "192.0.2.1"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "192.0.2.1"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "192.0.2.1, 10.1.2.3 ,10.4.5.6"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "203.0.113.9, 192.0.2.1, 10.1.2.3"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "203.0.113.9", "192.0.2.1", "10.1.2.3"))
	f("10.1.2.3:0", knative, peer, lines("X-Forwarded-For", "10.1.2.3, 10.4.5.6"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "192.0.2.1:4711"))
	f("[2001:db8::1]:0", knative, "[::1]:9", lines("X-Forwarded-For", "2001:db8::1"))
	f("[2001:db8::1]:0", knative, peer, lines("X-Forwarded-For", "[2001:db8::1]:77"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", "::ffff:192.0.2.1"))
	f("192.0.2.1:0", knative, "[::ffff:127.0.0.1]:7", lines("X-Forwarded-For", "192.0.2.1"))
	f("127.0.0.1:0", knative, peer, http.Header{})
	f("", knative, peer, lines("X-Forwarded-For", "unknown"))
	f("", knative, peer, lines("X-Forwarded-For", "192.0.2.1, , 10.1.2.3"))
	f("", knative, peer, lines("X-Forwarded-For", strings.Repeat("10.0.0.1,", maxHops+1)+"10.0.0.1"))
	f("", knative, peer, lines("X-Forwarded-For", strings.Repeat(" ", maxBytes)+"192.0.2.1"))
	f("192.0.2.1:0", knative, peer, lines("X-Forwarded-For", strings.Repeat("x", maxBytes), "192.0.2.1"))

	f("192.0.2.1:0", knative, peer, lines("Forwarded", `for=192.0.2.1;proto=https, For="10.0.0.1:80"`))
	f("[2001:db8::1]:0", knative, peer, lines("Forwarded", `for="[2001:db8::1]:4711";by=_x`))
	f("192.0.2.1:0", knative, peer, lines("Forwarded", `for="unknown, for=203.0.113.9", by="a;b,\"c" ; for = 192.0.2.1`))
	f("", knative, peer, lines("Forwarded", `for=_hidden`))
	f("", knative, peer, lines("Forwarded", `for=192.0.2.1, proto=http`))
	f("", knative, peer, lines("Forwarded", `for=192.0.2.1;for=192.0.2.2`))

	// A sender cannot choose the header that is believed.
	both := lines("X-Forwarded-For", "192.0.2.1")
	both.Set("Forwarded", "for=203.0.113.9")
	f("192.0.2.1:0", knative, peer, both)
	knative.Header = "Forwarded"
	f("203.0.113.9:0", knative, peer, both)
	knative.Header = "X-Forwarded-For"
	f("127.0.0.1:0", knative, peer, lines("Forwarded", "for=203.0.113.9"))
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, c Config) {
		t.Helper()
		got := ""
		if err := c.Validate(); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
	f("", DefaultConfig())
	f("", Config{Trusted: []string{"10.0.0.1", "::1", "fd00::/8", "10.1.2.3/8"}, Header: "X-FORWARDED-FOR"})
	f("trusted", Config{Trusted: []string{"10.0.0.0/33"}})
	f("trusted", Config{Trusted: []string{"proxy"}})
	f("trusted", Config{Trusted: []string{"::ffff:10.0.0.0/104"}})
	f("header", Config{Header: "X-Real-IP"})
}

func FuzzSender(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.1", `for="[::1]:5";by=x`, "")
	f.Add(",", `for="\"`, "forwarded")
	f.Fuzz(func(t *testing.T, list, elements, header string) {
		c := Config{Trusted: []string{"127.0.0.1", "10.0.0.0/8"}, Header: header}
		if c.Validate() != nil {
			return
		}
		h := lines("X-Forwarded-For", list)
		h.Set("Forwarded", elements)
		got := seen(t, c, "127.0.0.1:1", h)
		if _, ok := addressOf(got); !ok && got != "" {
			t.Errorf("%q", got)
		}
		// What stands before the nearest proxy's own word changes nothing.
		h.Set("X-Forwarded-For", list+", 192.0.2.1")
		h.Del("Forwarded")
		if c.Header != "forwarded" && strings.ToLower(c.Header) != "forwarded" && len(list) < maxBytes-20 {
			if got := seen(t, c, "127.0.0.1:1", h); got != "192.0.2.1:0" {
				t.Errorf("%q, want the nearest word", got)
			}
		}
	})
}
