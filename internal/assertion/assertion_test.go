package assertion

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	firstKey  = "the first key of thirty-two letters"
	secondKey = "the second key, which has as many"
)

func signer(t testing.TB, keys ...string) *Signer {
	t.Helper()
	s, err := NewSigner(Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func statement(t testing.TB, c Client) Statement {
	t.Helper()
	s, err := State(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clients are those that there can be.
var clients = []Client{
	{Remote: "192.0.2.1:5"},
	{Remote: "[2001:db8::1]:5", Identity: "device@application", Proof: "\x00\xff"},
	{Remote: "192.0.2.1:5", Identity: "a.b\x00\n", Proof: ""},
	{Remote: "192.0.2.1:5", Chain: [][]byte{{1, 2, 3}, {4}}},
}

// request is one that a function gets, as a signer has sent it at a time.
func request(t testing.TB, s *Signer, c Client, target string, at time.Time) *http.Request {
	t.Helper()
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://function"+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	s.signAt(sent, statement(t, c), at)
	got := httptest.NewRequest(http.MethodPost, target, nil)
	got.Header = sent.Header
	return got
}

func TestClientArrives(t *testing.T) {
	for _, keys := range [][]string{{firstKey}, {firstKey, secondKey}, {secondKey, firstKey}} {
		for _, want := range clients {
			r := request(t, signer(t, firstKey), want, "/v1/a%2Fb/c?as=x&data_schema=urn%3Ax;y=%zz", time.Now())
			seen := false
			NewVerifier(Config{Keys: keys}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen = true
				got, asserted, err := Of(r.Context())
				if diff := cmp.Diff(want, got); diff != "" || !asserted || err != nil {
					t.Errorf("%v %v %s", asserted, err, diff)
				}
				if r.RemoteAddr != want.Remote || r.Header.Get(Header) != "" {
					t.Errorf("from %s, headers %v", r.RemoteAddr, r.Header)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
			if !seen {
				t.Error("the request does not pass")
			}
		}
	}
}

// TestForgeries has each refused, for its reason, and the address of who sends it not believed.
func TestForgeries(t *testing.T) {
	f := func(what string, want error, keys []string, change func(r *http.Request)) {
		t.Helper()
		r := request(t, signer(t, firstKey), clients[1], "/v1/x?as=y", time.Now())
		peer := r.RemoteAddr
		change(r)
		NewVerifier(Config{Keys: keys}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, asserted, err := Of(r.Context())
			if !asserted || !errors.Is(err, want) || !cmp.Equal(got, Client{}) {
				t.Errorf("%s: %v, %v, %+v; want %v", what, asserted, err, got, want)
			}
			if r.RemoteAddr != peer {
				t.Errorf("%s: the address %s is believed", what, r.RemoteAddr)
			}
			if _, there := r.Header[Header]; there {
				t.Errorf("%s: the header is handed on", what)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
	both := []string{firstKey, secondKey}
	header := func(change func(string) string) func(*http.Request) {
		return func(r *http.Request) { r.Header[Header] = []string{change(r.Header.Get(Header))} }
	}
	signed := func(s *Signer, at time.Time) func(*http.Request) {
		return func(r *http.Request) { s.signAt(r, statement(t, clients[0]), at) }
	}
	none := func(*http.Request) {}
	f("no key", errNoKey, nil, none)
	f("another key", errSignature, []string{secondKey}, none)
	f("a key with a byte less", errSignature, []string{firstKey[1:]}, none)
	f("another method", errSignature, both, func(r *http.Request) { r.Method = http.MethodPut })
	f("another path", errSignature, both, func(r *http.Request) { r.RequestURI = "/v1/z?as=y" })
	f("another query", errSignature, both, func(r *http.Request) { r.RequestURI = "/v1/x?as=z" })
	f("no query", errSignature, both, func(r *http.Request) { r.RequestURI = "/v1/x" })
	f("another client", errSignature, both, header(func(h string) string { return strings.Replace(h, kindPreSharedKey, kindNothing, 1) }))
	f("another time", errSignature, both, header(func(h string) string { return strings.Replace(h, "1.1", "1.2", 1) }))
	f("an empty signature", errSignature, both, header(func(h string) string { return h[:strings.LastIndex(h, ".")+1] }))
	f("no signature", errForm, both, header(func(string) string { return "x" }))
	f("nothing", errForm, both, header(func(string) string { return "" }))
	f("base64 with padding", errForm, both, header(func(h string) string { return h + "=" }))
	f("too long", errForm, both, header(func(h string) string { return strings.Repeat("A", maxBytes) + h }))
	f("twice", errForm, both, func(r *http.Request) { r.Header[Header] = append(r.Header[Header], r.Header[Header]...) })
	f("no value", errForm, both, func(r *http.Request) { r.Header[Header] = nil })
	f("too old", errTime, both, signed(signer(t, firstKey), time.Now().Add(-Life-time.Second)))
	f("of the future", errTime, both, signed(signer(t, firstKey), time.Now().Add(Life+2*time.Second)))
}

func TestWithoutAnAssertion(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/v1/x", nil)
	peer := r.RemoteAddr
	NewVerifier(Config{Keys: []string{firstKey}}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, asserted, err := Of(r.Context()); asserted || err != nil || r.RemoteAddr != peer {
			t.Errorf("%v, %v, from %s", asserted, err, r.RemoteAddr)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if _, asserted, err := Of(context.Background()); asserted || err != nil {
		t.Errorf("%v, %v", asserted, err)
	}
}

func TestClientsAreBounded(t *testing.T) {
	f := func(what string, c Client) {
		t.Helper()
		if _, err := State(c); err == nil {
			t.Errorf("%s is stated", what)
		}
	}
	f("a long chain", Client{Chain: make([][]byte, maxCertificates+1)})
	f("a large certificate", Client{Chain: [][]byte{make([]byte, maxBytes)}})
	f("a large identity", Client{Identity: strings.Repeat("x", maxBytes)})
	largest := Client{Chain: [][]byte{make([]byte, 32<<10)}} // as internal/auth takes it
	r := request(t, signer(t, firstKey), largest, "/v1/x", time.Now())
	if got, err := NewVerifier(Config{Keys: []string{firstKey}}).verify(r, r.Header[Header], time.Now()); err != nil || len(got.Chain[0]) != 32<<10 {
		t.Errorf("the largest: %v", err)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, keys ...string) {
		t.Helper()
		got := ""
		if err := (&Config{Keys: keys}).Validate(); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
			if strings.Contains(err.Error(), "short") {
				t.Errorf("a key is in the error: %v", err)
			}
		}
		if got != want {
			t.Errorf("%d keys: %q, want %q", len(keys), got, want)
		}
	}
	f("")
	f("", firstKey, secondKey)
	f("keys", firstKey, "short")
	f("keys", firstKey, firstKey, firstKey, firstKey, firstKey)
	if _, err := NewSigner(DefaultConfig()); err == nil || !strings.HasPrefix(err.Error(), "keys: ") {
		t.Errorf("a signer without a key: %v", err)
	}
}

// FuzzParseClient has what is read be what is written, in one form only.
func FuzzParseClient(f *testing.F) {
	for _, c := range clients {
		f.Add(c.text())
	}
	f.Add("")
	f.Add("..psk..")
	f.Add("WzIwMDE6ZGI4OjoxXTo1.psk.ZGV2aWNlQGFw\ncGxpY2F0aW9u.AP8")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseClient(text)
		if err == nil && c.text() != text {
			t.Errorf("%q is read as %+v, which is written %q", text, c, c.text())
		}
	})
}

// FuzzVerify has nothing be believed that is not signed.
func FuzzVerify(f *testing.F) {
	s := signer(f, firstKey)
	f.Add(request(f, s, clients[1], "/v1/x", time.Now()).Header.Get(Header))
	f.Add("1.0..none.")
	v := NewVerifier(Config{Keys: []string{firstKey}})
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/not-signed", nil)
		if c, err := v.verify(r, []string{header}, time.Now()); err == nil {
			t.Errorf("%q is believed: %+v", header, c)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	s, of := signer(b, firstKey), statement(b, Client{Remote: "192.0.2.1:5", Chain: [][]byte{bytes.Repeat([]byte{1}, 600)}})
	r := httptest.NewRequest(http.MethodPost, "/v1/x", nil)
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(r, of)
	}
}

func BenchmarkVerify(b *testing.B) {
	v := NewVerifier(Config{Keys: []string{firstKey, secondKey}})
	r := request(b, signer(b, firstKey), Client{Remote: "192.0.2.1:5", Chain: [][]byte{bytes.Repeat([]byte{1}, 600)}}, "/v1/x", time.Now())
	values := r.Header[Header]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.verify(r, values, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
