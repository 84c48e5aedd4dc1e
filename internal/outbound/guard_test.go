package outbound

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestGuard(t *testing.T) {
	f := func(want bool, c Config, host, address string) {
		t.Helper()
		g, err := newGuard(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.judge(host, netip.AddrPortFrom(netip.MustParseAddr(address), 443).String()); (err == nil) != want {
			t.Errorf("%s at %s with %v and not %v: %v", host, address, c.Allow, c.Deny, err)
		}
	}
	none := Config{}
	for _, public := range []string{"1.1.1.1", "93.184.216.34", "172.32.0.1", "11.0.0.1", "2606:4700::1111", "2a00:1450::1"} {
		f(true, none, "example.com", public)
		f(true, none, public, public)
		for _, name := range []string{"redis", "localhost", "a.default.svc", "a.default.svc.cluster.local", "A.Default.SVC.Cluster.Local.", "x.localhost", "metadata.google.internal"} {
			f(false, none, name, public)
		}
	}
	for _, special := range []string{
		"127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0",
		"192.0.0.192", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::7f00:1",
		"64:ff9b::a00:1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:a00:1::1", "100::1", "3fff::1",
	} {
		f(false, none, "example.com", special)
		f(false, Config{Allow: []string{"1.2.3.4", "example.org"}}, "example.com", special)
	}
	f(true, Config{Allow: []string{"10.0.0.0/8"}}, "redis", "10.1.2.3")
	f(true, Config{Allow: []string{"10.0.0.0/8"}}, "redis", "::ffff:10.1.2.3")
	f(false, Config{Allow: []string{"10.0.0.0/8"}}, "redis", "192.168.1.1")
	f(true, Config{Allow: []string{"::1"}}, "x.example", "::1")
	f(true, Config{Allow: []string{"Receiver.apps.svc"}}, "receiver.apps.SVC", "10.1.2.3")
	f(true, Config{Allow: []string{".apps.svc"}}, "receiver.apps.svc.", "10.1.2.3")
	f(false, Config{Allow: []string{".apps.svc"}}, "apps.svc", "10.1.2.3")
	f(false, Config{Allow: []string{".apps.svc"}}, "receiver.otherapps.svc", "10.1.2.3")
	f(false, Config{Deny: []string{"93.184.0.0/16"}}, "example.com", "93.184.216.34")
	f(false, Config{Allow: []string{"10.0.0.0/8", "example.com"}, Deny: []string{"10.1.0.0/16"}}, "example.com", "10.1.2.3")
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		got := ""
		if err := c.Validate(); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("", func(*Config) {})
	f("", func(c *Config) { c.Allow = []string{"10.0.0.0/8", "::1", "a.example", ".b.example"} })
	for _, bad := range []string{"", ".", "10.0.0.0/33", "a b", "*", "::ffff:10.0.0.0/104", "https://a.example"} {
		f("allow", func(c *Config) { c.Allow = []string{bad} })
	}
	f("deny", func(c *Config) { c.Deny = []string{"a.example"} })
	f("timeout", func(c *Config) { c.Timeout = c.MaxTimeout + 1 })
	f("maxTimeout", func(c *Config) { c.MaxTimeout *= 2 })
	f("pause", func(c *Config) { c.Pause = 0 })
	f("maxResponse", func(c *Config) { c.MaxResponse = -1 })
	f("concurrency", func(c *Config) { c.Concurrency = 0 })
	f("maxWaiting", func(c *Config) { c.MaxWaiting = -1 })
	f("maxEndpoints", func(c *Config) { c.MaxEndpoints = 0 })
	f("failures", func(c *Config) { c.Failures = 0 })
}

// TestRebinding resolves a name to an allowed address first and to another one later, as who wants to reach into the cluster would.
func TestRebinding(t *testing.T) {
	var reached atomic.Int64
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.Header().Set("Connection", "close") // so that the next request looks the name up again
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	names := &nameserver{}
	c := DefaultConfig()
	c.Allow = []string{"127.0.0.2"}
	client := newClientWith(t, c, names.resolver(t))
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	endpoint := registry.ExternalEndpoint{URL: "http://rebind.example:" + port + "/"}

	names.say("127.0.0.2")
	if r, err := send(client, endpoint); err != nil || !r.OK() {
		t.Fatalf("the allowed address: %v, %v", r, err)
	}
	for _, private := range []string{"127.0.0.1", "127.0.0.3"} {
		names.say(private)
		r, err := send(client, endpoint)
		if failed := expect(t, Refused, r, err); strings.Contains(failed.Error(), private) {
			t.Errorf("the address is told: %v", failed)
		}
	}
	if asked := names.questions(); reached.Load() != 1 || asked < 3 {
		t.Errorf("%d requests got through, %d questions", reached.Load(), asked)
	}
	names.say("127.0.0.2")
	if r, err := send(client, endpoint); err != nil || !r.OK() {
		t.Errorf("the allowed address again, after more refusals than failures are borne: %v, %v", r, err)
	}
}

// TestSpellingsOfLoopback tries what other programs have taken for something else than this machine.
func TestSpellingsOfLoopback(t *testing.T) {
	var reached atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	u, _ := url.Parse(server.URL)
	client := newClient(t, DefaultConfig())
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]"} {
		r, err := send(client, registry.ExternalEndpoint{URL: "http://" + host + ":" + u.Port() + "/"})
		if err == nil {
			t.Errorf("%s: %v", host, r)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests got through", n)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var reached atomic.Int64
	target := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		if r, err := send(newClient(t, local()), registry.ExternalEndpoint{URL: server.URL}); err != nil || r.Status != status {
			t.Errorf("%d: %v, %v", status, r, err)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
