package coding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
)

const limit = 1000

func pack(t testing.TB, coding, plain string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, _ = flate.NewWriter(&b, flate.BestCompression)
	}
	if _, err := io.WriteString(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDecode(t *testing.T) {
	f := func(field, body, want string) {
		t.Helper()
		if got, err := Decode(field, []byte(body), limit); err != nil || string(got) != want {
			t.Errorf("Decode(%q, %q) = %q, %v; want %q", field, body, got, err, want)
		}
	}
	full := strings.Repeat("x", limit)
	f("", "plain", "plain")
	f("identity", "plain", "plain")
	f(" Identity , ,", "plain", "plain")
	for _, plain := range []string{"", `{"a":1}`, full} {
		f("gzip", pack(t, "gzip", plain), plain)
		f("GZIP", pack(t, "gzip", plain), plain)
		f("x-gzip", pack(t, "gzip", plain), plain)
		f("identity, gzip", pack(t, "gzip", plain), plain)
		f("deflate", pack(t, "zlib", plain), plain)
		f("deflate", pack(t, "flate", plain), plain)
	}
	f("gzip", pack(t, "gzip", "a")+pack(t, "gzip", "b"), "ab")

	refused := func(field, body string, want outcome.Outcome) {
		t.Helper()
		if got, err := Decode(field, []byte(body), limit); outcome.Of(err) != want {
			t.Errorf("Decode(%q, %d bytes) = %d bytes, %v; want %v", field, len(body), len(got), err, want)
		}
	}
	refused("br", "x", outcome.Unsupported)
	refused("zstd", "x", outcome.Unsupported)
	refused("compress", "x", outcome.Unsupported)
	refused("gzip, gzip", pack(t, "gzip", pack(t, "gzip", "a")), outcome.Unsupported)
	refused("deflate,gzip", "x", outcome.Unsupported)
	refused("gzip;q=1", pack(t, "gzip", "a"), outcome.Unsupported)
	refused("*", "x", outcome.Unsupported)

	refused("gzip", "", outcome.Invalid)
	refused("deflate", "", outcome.Invalid)
	refused("gzip", `{"a":1}`, outcome.Invalid)
	refused("deflate", `{"a":1}`, outcome.Invalid)
	refused("gzip", pack(t, "zlib", "a"), outcome.Invalid)
	refused("deflate", pack(t, "gzip", "a"), outcome.Invalid)
	refused("gzip", pack(t, "gzip", "a")+"x", outcome.Invalid)
	refused("deflate", pack(t, "zlib", "a")+"x", outcome.Invalid)
	refused("deflate", pack(t, "flate", "a")+"x", outcome.Invalid)
	for _, coding := range []string{"gzip", "zlib"} {
		field := strings.Replace(coding, "zlib", "deflate", 1)
		packed := pack(t, coding, full)
		refused(field, packed[:len(packed)-1], outcome.Invalid)
		refused(field, packed[:len(packed)-1]+"\xff", outcome.Invalid)
		refused(field, pack(t, coding, full+"x"), outcome.TooLarge)
		refused(field, pack(t, coding, strings.Repeat("x", 10<<20)), outcome.TooLarge)
	}
	refused("deflate", pack(t, "flate", full+"x"), outcome.TooLarge)
}

func FuzzDecode(f *testing.F) {
	for _, coding := range []string{"gzip", "zlib", "flate"} {
		f.Add("gzip", []byte(pack(f, coding, "abcabcabc")))
		f.Add("deflate", []byte(pack(f, coding, strings.Repeat("x", 5000))))
	}
	f.Add("identity", []byte("x"))
	f.Add("a,b", []byte("x"))
	f.Fuzz(func(t *testing.T, field string, body []byte) {
		plain, err := Decode(field, body, limit)
		switch outcome.Of(err) {
		case outcome.Accepted:
			if len(plain) > limit && !bytes.Equal(plain, body) {
				t.Errorf("%d bytes from %q", len(plain), field)
			}
		case outcome.Invalid, outcome.Unsupported, outcome.TooLarge:
		default:
			t.Errorf("Decode(%q): %v", field, err)
		}
	})
}
