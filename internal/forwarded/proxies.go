package forwarded

import (
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of what is read of a request. Both are counted from the end, where the nearest proxy has written.
const (
	maxBytes = 4 << 10
	maxHops  = 32
)

// Proxies are those that are believed.
type Proxies struct {
	trusted []netip.Prefix
	header  string

	proven bool // client certificates are believed, of who gives the proof
	proof  [sha256.Size]byte
}

// New makes the proxies of a valid configuration.
func New(c Config) (*Proxies, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	trusted, err := prefixes(c.Trusted)
	return &Proxies{
		trusted: trusted, header: strings.ToLower(c.Header),
		proven: c.CertificateProof != "", proof: sha256.Sum256([]byte(c.CertificateProof)),
	}, err
}

// Handler has the next handler see the sender's address as that of the connection, Request.RemoteAddr, with port 0 where a
// proxy said it, and empty where it is not known; and the certificate that the sender showed to a proxy as that of the connection,
// Request.TLS.
func (p *Proxies) Handler(next http.Handler) http.Handler {
	if len(p.trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, ok := addressOf(r.RemoteAddr); ok && p.trusts(peer) {
			r.RemoteAddr = ""
			if sender, ok := p.sender(r.Header, peer); ok {
				r.RemoteAddr = netip.AddrPortFrom(sender, 0).String()
			}
			if chain := p.certificates(r.Header); chain != nil && r.TLS == nil {
				r.TLS = &tls.ConnectionState{PeerCertificates: chain}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// sender is the last address, from the sender to here, that belongs to no proxy that is believed. If all do, it is the first
// one. It is not known where a proxy does not say it in words that can be read.
func (p *Proxies) sender(h http.Header, peer netip.Addr) (netip.Addr, bool) {
	sender := peer
	for i, hop := range p.hops(h) {
		address, ok := addressOf(hop)
		if !ok || i == maxHops {
			return netip.Addr{}, false
		}
		sender = address
		if !p.trusts(address) {
			break
		}
	}
	return sender, true
}

// hops are the addresses that the header in use gives, the nearest first.
func (p *Proxies) hops(h http.Header) []string {
	name, read := p.header, listed
	if name == "" && len(h.Values(xForwardedFor)) == 0 {
		name = forwardedName
	}
	if name == "" {
		name = xForwardedFor
	}
	if name == forwardedName {
		read = forwardedFor
	}
	var hops []string
	left := maxBytes
	for _, line := range slices.Backward(h.Values(name)) {
		if left -= len(line); left < 0 {
			return append(hops, "") // and nobody knows what comes before
		}
		found := read(line)
		slices.Reverse(found)
		hops = append(hops, found...)
	}
	return hops
}

// listed reads X-Forwarded-For: addresses between commas.
func listed(line string) []string { return strings.Split(line, ",") }

// forwardedFor reads the parameter for of every element of Forwarded (RFC 7239 section 4); "" for an element that has none,
// or more than one.
func forwardedFor(line string) []string {
	var hops []string
	for _, element := range cut(line, ',') {
		hop, found := "", 0
		for _, pair := range cut(element, ';') {
			name, value, ok := strings.Cut(pair, "=")
			if ok && strings.EqualFold(strings.TrimSpace(name), "for") {
				hop, found = unquoted(strings.TrimSpace(value)), found+1
			}
		}
		if found != 1 {
			hop = ""
		}
		hops = append(hops, hop)
	}
	return hops
}

// cut cuts a text at a separator outside of quotes.
func cut(text string, separator byte) (parts []string) {
	quoted, start := false, 0
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// unquoted is the content of a quoted string; a token is its own.
func unquoted(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var b strings.Builder
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i+1 < len(value)-1 {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// addressOf reads an address with or without a port, in brackets or not.
func addressOf(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	} else if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return address.Unmap().WithZone(""), true
}

func (p *Proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}
