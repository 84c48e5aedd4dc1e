package coap

import (
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A list has the options of a request.
type list map[message.OptionID][]string

func (l list) Option(id message.OptionID) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, value := range l[id] {
			if !yield([]byte(value)) {
				return
			}
		}
	}
}

func request(path string, queries ...string) list {
	return list{message.URIPath: strings.Split(path, "/"), message.URIQuery: queries}
}

func TestTarget(t *testing.T) {
	f := func(path string, queries []string, want target) {
		t.Helper()
		got, err := targetOf(request(path, queries...))
		if err != nil || got != want {
			t.Errorf("%s %q: %+v, %v; want %+v", path, queries, got, err, want)
		}
	}
	f("v1/Rust", nil, target{channel: "Rust", whole: true})
	f("v1/Röst", nil, target{channel: "Röst", whole: true})
	f("v1/Rust/test/test2", nil, target{channel: "Rust"})
	f("v1/Rust/", nil, target{channel: "Rust"})
	f("v1/a b%20", nil, target{channel: "a b%20", whole: true})
	all := endpoint.Query{Application: "app1", Device: "device#2", DataSchema: "urn:x", As: "device#2", Wait: 30 * time.Second}
	f("v1/x", []string{"application=app1&device=device%232&data_schema=urn%3Ax&as=device%232&ct=30"}, target{"x", true, all})
	f("v1/x", []string{"application=app1", "device=device#2", "data_schema=urn:x", "as=device#2", "ct=30"}, target{"x", true, all})
	f("v1/x", []string{"as=device%232"}, target{"x", true, endpoint.Query{As: "device#2"}})
	f("v1/x", []string{"as=a%20b", "ct=1"}, target{"x", true, endpoint.Query{As: "a%20b", Wait: time.Second}})
	f("v1/x", []string{"as=a&b+c", "flag"}, target{"x", true, endpoint.Query{As: "a&b+c"}})
	f("v1/x", []string{"commandTimeout=2"}, target{"x", true, endpoint.Query{Wait: 2 * time.Second}})
	f("v1/x", []string{""}, target{"x", true, endpoint.Query{}})

	refused := func(path string, queries ...string) {
		t.Helper()
		if _, err := targetOf(request(path, queries...)); outcome.Of(err) != outcome.Invalid {
			t.Errorf("%s %q: %v", path, queries, err)
		}
	}
	refused("")
	refused("v1")
	refused("v1/")
	refused("v1//x")
	refused("v2/Rust")
	refused("V1/Rust")
	refused("v1/x\xff")
	refused("v1/x/\xff")
	refused("v1/x", "as=%zz")
	refused("v1/x", "ct=abc")
	refused("v1/x", "ct=1", "ct=2")
	refused("v1/x", "ct=1&ct=2")
	refused("v1/x", "as=\xff")
	refused("v1/x", "as=\xff", "ct=1")
}

func TestContentFormats(t *testing.T) {
	f := newFormats()
	number := func(n uint32, want string) {
		t.Helper()
		if got := f.of(n, true); got.media != want || (got.coding != "") != (n == 11050 || n == 11060) {
			t.Errorf("Content-Format %d is %q, coded %q; want %q", n, got.media, got.coding, want)
		}
	}
	number(0, "text/plain; charset=utf-8")
	number(42, "application/octet-stream")
	number(50, "application/json")
	number(60, "application/cbor")
	number(110, "application/senml+json")
	number(11050, "application/json")
	number(11060, "application/cbor")
	number(11542, "application/vnd.oma.lwm2m+tlv")
	number(65000, "")
	if got := f.of(0, false); got != (contentFormat{}) {
		t.Errorf("no Content-Format is %v", got)
	}
	media := func(m string, want uint32, known bool) {
		t.Helper()
		if got, ok := f.option(m); got != want || ok != known {
			t.Errorf("%q is Content-Format %d, %t", m, got, ok)
		}
	}
	media("application/json", 50, true)
	media("application/cbor", 60, true)
	media("text/plain", 0, true)
	media("text/plain; charset=utf-8", 0, true)
	media("application/x-unheard", 0, false)
	media("", 0, false)
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+":")) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Address = ":5683" }, "")
	f(func(c *Config) { c.SecureAddress = "" }, "address")
	f(func(c *Config) { c.Address = "here" }, "address")
	f(func(c *Config) { c.SecureAddress = "here" }, "secureAddress")
	f(func(c *Config) { c.AuthTimeout = 0 }, "authTimeout")
	f(func(c *Config) { c.MaxWait = 2 * time.Hour }, "maxWait")
	f(func(c *Config) { c.MaxWaiting = -1 }, "maxWaiting")
	f(func(c *Config) { c.MaxWaiting = c.Message.MaxOpen }, "maxWaiting")
	f(func(c *Config) { c.ObserveLifetime = 0 }, "observeLifetime")
	f(func(c *Config) { c.ReadmissionTimeout = 0 }, "readmissionTimeout")
	f(func(c *Config) { c.DrainTimeout = time.Hour }, "drainTimeout")
}

func TestListenRefuses(t *testing.T) {
	f := func(change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		c.Address, c.SecureAddress = "127.0.0.1:0", "127.0.0.1:0"
		change(&c)
		if g, err := New(c, nil, ingest.New(ingest.DefaultConfig(), &recordWriter{}), nil, nil, nil); err == nil {
			t.Errorf("listens at %v and %v", g.Address(), g.SecureAddress())
		}
	}
	f(func(c *Config) { c.Address = "127.0.0.1:none" })
	f(func(c *Config) { c.SecureAddress = "127.0.0.1:none" })
}

func FuzzTarget(f *testing.F) {
	f.Add("v1/x", "application=a&device=b", "")
	f.Add("v1/x/y", "as=a%20b", "ct=1")
	f.Add("v1/\xff", "%", "=&=")
	f.Fuzz(func(t *testing.T, path, first, second string) {
		got, err := targetOf(request(path, first, second))
		if err != nil {
			if outcome.Of(err) != outcome.Invalid {
				t.Errorf("outcome %v", outcome.Of(err))
			}
			return
		}
		if got.channel == "" || !strings.HasPrefix(path, "v1/"+got.channel) {
			t.Errorf("channel %q of %q", got.channel, path)
		}
	})
}
