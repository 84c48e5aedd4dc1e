package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// dialTimeout bounds making one connection; the request's own time may be shorter.
const dialTimeout = 5 * time.Second

// errGuarded says no more, so that nobody can find out by it what names of the cluster resolve to.
var errGuarded = errors.New("the endpoint does not lie at a public address, and the operator does not allow it")

// A guard judges where connections may go.
type guard struct {
	allow, deny []netip.Prefix
	hosts       map[string]bool // allowed whatever they resolve to
	domains     []string        // with the dot
}

func newGuard(c Config) (*guard, error) {
	g := &guard{hosts: map[string]bool{}}
	for _, text := range c.Allow {
		prefix, err := parsePrefix(text)
		switch name := canonical(text); {
		case err == nil:
			g.allow = append(g.allow, prefix)
		case !isHost(strings.TrimPrefix(name, ".")):
			return nil, errors.New("allow: must be addresses, prefixes such as 10.0.0.0/8, host names, or domains such as .example.com")
		case name[0] == '.':
			g.domains = append(g.domains, name)
		default:
			g.hosts[name] = true
		}
	}
	for _, text := range c.Deny {
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, errors.New("deny: must be addresses or prefixes such as 203.0.113.0/24")
		}
		g.deny = append(g.deny, prefix)
	}
	return g, nil
}

// parsePrefix reads a prefix, or an address as one of its own.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("not a prefix")
	}
	return prefix.Masked(), nil
}

func isHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

// canonical is a host name without case and without the dot of its root.
func canonical(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// dialer makes connections that the guard lets pass.
func (g *guard) dialer(resolver *net.Resolver) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("reading the address of the endpoint: %w", err)
		}
		d := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Resolver: resolver}
		d.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error { return g.judge(host, resolved) }
		return d.DialContext(ctx, network, address)
	}
}

// judge is called with each address that a host was resolved to, when a connection to it is about to be made: nothing can change
// between the question and the connection.
func (g *guard) judge(host, resolved string) error {
	to, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return errGuarded
	}
	address, host := to.Addr().Unmap().WithZone(""), canonical(host)
	in := func(p netip.Prefix) bool { return p.Contains(address) }
	switch {
	case slices.ContainsFunc(g.deny, in):
		return errGuarded
	case slices.ContainsFunc(g.allow, in), g.hosts[host], slices.ContainsFunc(g.domains, func(d string) bool { return strings.HasSuffix(host, d) }):
		return nil
	case isPublic(address) && !ofCluster(host):
		return nil
	}
	return errGuarded
}

// ofCluster tells whether a name is one that only the cluster or the machine gives a meaning.
func ofCluster(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	if !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".svc", ".cluster.local", ".localhost", ".local", ".internal"}, func(domain string) bool {
		return strings.HasSuffix(host, domain)
	})
}

// isPublic tells whether an address belongs to the Internet at large: it is no special-purpose address (RFC 6890 and the registries
// of IANA), and none through which IPv4 addresses can be reached in IPv6's clothes.
func isPublic(a netip.Addr) bool {
	special := special6
	if a.Is4() {
		special = special4
	} else if !global6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// global6 is what is given out of IPv6 (RFC 4291 section 2.4). Loopback, link-local, private and translated addresses lie outside.
var global6 = netip.MustParsePrefix("2000::/3")

var special4 = parseAll(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/3",
	"168.63.129.16/32", // the host agent of Azure's machines
)

var special6 = parseAll(
	"2001::/23",     // protocol assignments, among them Teredo
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4
	"2620:4f:8000::/48",
	"3fff::/20", // documentation
)

func parseAll(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
