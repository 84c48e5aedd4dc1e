package downlink

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
)

const (
	push    = "https://stack.example/api/v3/as/applications/a/webhooks/w/devices/d/down/push"
	replace = "https://stack.example/api/v3/as/applications/a/webhooks/w/devices/d/down/replace"
)

func TestFromHeaders(t *testing.T) {
	f := func(want Address, fields ...string) {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(fields); i += 2 {
			h.Add(fields[i], fields[i+1])
		}
		if got, err := FromHeaders(h); err != nil || got != want {
			t.Errorf("%v: %v, %v", fields, got, err)
		}
	}
	f(Address{push, "k"}, "X-Downlink-Push", push, "X-Downlink-Replace", replace, "X-Downlink-Apikey", "k")
	f(Address{replace, "k"}, "x-downlink-replace", replace, "x-downlink-APIKEY", "k")
}

func TestFromHeadersRefuses(t *testing.T) {
	f := func(none bool, fields ...string) {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(fields); i += 2 {
			h.Add(fields[i], fields[i+1])
		}
		_, err := FromHeaders(h)
		if err == nil || errors.Is(err, ErrNoAddress) != none || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", fields, err)
		}
	}
	f(true)
	f(true, headerPush, push)
	f(true, headerKey, "k")
	f(false, headerPush, push, headerPush, push, headerKey, "k")
	f(false, headerPush, push, headerKey, "k", headerKey, "hunter2")
	for _, url := range []string{
		strings.Replace(push, "https", "http", 1), "ftp://hunter2/down/push", "https:///down/push", "https://hunter2@a.example/down/push",
		"https://a.example/hunter2", "https://a.example/?x=/down/push", "/down/push", "https://a.example/" + strings.Repeat("x", maxURL) + "/down/push",
		"https://a.example:x/down/push", "https://a.example/%zz/down/push",
	} {
		f(false, headerPush, url, headerKey, "k")
	}
	f(false, headerPush, push, headerKey, "hunter2\nX: y")
	f(false, headerPush, push, headerKey, strings.Repeat("x", maxKey+1))
}

func key(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keyBytes)) }

func TestConfig(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+":")) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
	f("", func(*Config) {})
	f("", func(c *Config) { c.Key = key(1) })
	f("key", func(c *Config) { c.Key = "hunter2" })
	f("key", func(c *Config) { c.Key = base64.StdEncoding.EncodeToString(make([]byte, 16)) })
	f("ttl", func(c *Config) { c.TTL = time.Second })
}

// open makes a store beside others at the same server.
func open(t *testing.T, server *miniredis.Miniredis, secret string) *Store {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	c := DefaultConfig()
	c.Key, c.TTL = secret, time.Hour
	s, err := New(c, client, "test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	server := miniredis.RunT(t)
	writer, reader := open(t, server, key(1)), open(t, server, key(1))
	device := Device{"uid-a", "uid-d"}
	expect := func(s *Store, of Device, want Address) {
		t.Helper()
		got, err := s.Find(t.Context(), of)
		if got != want || (want == Address{}) != errors.Is(err, ErrNotFound) {
			t.Errorf("%v: %v, %v, want %v", of, got, err, want)
		}
	}
	expect(reader, device, Address{})
	for _, a := range []Address{{push, "k"}, {push, "k"}, {replace, "k2"}} {
		if err := writer.Keep(t.Context(), device, a); err != nil {
			t.Fatal(err)
		}
		expect(reader, device, a)
	}
	expect(reader, Device{"uid-b", "uid-d"}, Address{})
	expect(reader, Device{"uid-a", "uid-e"}, Address{})
	expect(open(t, server, key(2)), device, Address{}) // the key has changed

	// What Redis holds shows nothing, and serves no other device.
	name := server.Keys()[0]
	sealed, _ := server.Get(name)
	if len(server.Keys()) != 1 || strings.Contains(sealed, "k2") || strings.Contains(sealed, "stack.example") {
		t.Errorf("%s holds %q", name, sealed)
	}
	other := reader.key(Device{"uid-b", "uid-d"})
	_ = server.Set(other, sealed)
	expect(reader, Device{"uid-b", "uid-d"}, Address{})
	_ = server.Set(other, "short")
	expect(reader, Device{"uid-b", "uid-d"}, Address{})

	server.FastForward(time.Hour)
	expect(reader, device, Address{})

	for _, nobody := range []Device{{}, {"uid-a", ""}, {"", "uid-d"}} {
		if err := writer.Keep(t.Context(), nobody, Address{push, "k"}); err == nil {
			t.Errorf("%v has an address", nobody)
		}
	}
}

// TestKeepsWhatIsNew counts requests to Redis.
func TestKeepsWhatIsNew(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, server, key(1))
	f := func(of Device, a Address, want int) {
		t.Helper()
		before := server.CommandCount()
		if err := s.Keep(t.Context(), of, a); err != nil {
			t.Fatal(err)
		}
		if n := server.CommandCount() - before; n < want || want == 0 && n > 0 {
			t.Errorf("%v: %d commands", a, n)
		}
	}
	f(Device{"a", "d"}, Address{push, "k"}, 1)
	f(Device{"a", "d"}, Address{push, "k"}, 0)
	f(Device{"a", "e"}, Address{push, "k"}, 1)
	f(Device{"a", "d"}, Address{push, "k2"}, 1)
	f(Device{"a", "d"}, Address{push, "k2"}, 0)
}

func TestRedisAway(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, server, key(1))
	server.Close()
	if err := s.Keep(t.Context(), Device{"a", "d"}, Address{push, "k"}); err == nil {
		t.Error("kept")
	}
	if _, err := s.Find(t.Context(), Device{"a", "d"}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("finding: %v", err)
	}
}

func FuzzFromHeaders(f *testing.F) {
	f.Add(push, replace, "k")
	f.Add("", replace, "k")
	f.Add("https://a.example/down/push", "", "\x00")
	f.Fuzz(func(t *testing.T, push, replace, key string) {
		a, err := FromHeaders(http.Header{headerPush: {push}, headerReplace: {replace}, headerKey: {key}})
		if err != nil {
			if a.Key != "" && errors.Is(err, ErrNoAddress) {
				t.Error("an error with a key")
			}
			return
		}
		if !strings.HasPrefix(strings.ToLower(a.URL), "https://") || a.Key == "" || strings.ContainsAny(a.Key, "\r\n") {
			t.Errorf("%+v", a)
		}
	})
}
