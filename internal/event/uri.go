package event

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// isURI tells whether a text is an absolute URI with an optional fragment: by RFC 3986, and for the strictest readers of
// events too. java.net.URI wants something after the scheme, and the JavaScript SDK that before a query; Rust's and Go's want a
// port below 65536; none knows addresses of a future IP version. Rust's reads hosts as browsers do (see isDomain).
func isURI(text string) bool {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || !isScheme(scheme) {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	if path == "" || !hasOnly(fragment, "/?") || !hasOnly(query, "/?") {
		return false
	}
	if hierarchy, ok := strings.CutPrefix(path, "//"); ok {
		end := strings.IndexByte(hierarchy, '/')
		if end < 0 {
			end = len(hierarchy)
		}
		if !isAuthority(hierarchy[:end]) || hierarchy == "" || !isSpecial(scheme, hierarchy[:end]) {
			return false
		}
		path = hierarchy[end:]
	}
	if !hasOnly(path, "/") {
		return false
	}
	_, err := url.Parse(text)
	return err == nil
}

// isSpecial tells whether an authority can be that of a scheme for browsers and for Rust's reader: some schemes need a host, and
// files have no port.
func isSpecial(scheme, authority string) bool {
	_, host, found := strings.Cut(authority, "@")
	if !found {
		host = authority
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss", "ftp":
		if strings.HasPrefix(host, "[") {
			return true
		}
		host, _, _ = strings.Cut(host, ":")
		return host != "" && isDomain(host)
	case "file":
		return host == authority && (strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") || !strings.Contains(host, ":") && isDomain(host))
	default:
		return true
	}
}

// isDomain tells whether a host is a name or an address by the URL standard of the WHATWG. A name has nothing percent-encoded, no
// last label that is a number, as only addresses have, and its internationalized labels can be decoded.
func isDomain(host string) bool {
	if strings.Contains(host, "%") {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; isNumber(last) {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return !slices.ContainsFunc(labels, func(label string) bool {
		_, err := idna.Lookup.ToUnicode(label)
		return strings.HasPrefix(label, "xn--") && (err != nil || label == "xn--")
	})
}

// isNumber tells whether a label is made of digits, or begins as a hexadecimal number does.
func isNumber(label string) bool {
	return label != "" && strings.Trim(label, "0123456789") == "" || strings.HasPrefix(label, "0x")
}

// isScheme tells whether a text is a scheme (RFC 3986 section 3.1).
func isScheme(text string) bool {
	if text == "" || !isLetter(text[0]) {
		return false
	}
	for i := range len(text) {
		if !isAlphanumeric(text[i]) && strings.IndexByte("+-.", text[i]) < 0 {
			return false
		}
	}
	return true
}

// isAuthority tells whether a text is an authority (RFC 3986 section 3.2). It may be empty before a path.
func isAuthority(text string) bool {
	if user, host, ok := strings.Cut(text, "@"); ok {
		if !isOf(user, ":") || host == "" {
			return false
		}
		text = host
	}
	host, port := text, ""
	if end := strings.IndexByte(text, ']'); strings.HasPrefix(text, "[") && end > 0 {
		address, err := netip.ParseAddr(text[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return false
		}
		rest := text[end+1:]
		if rest == "" {
			return true
		}
		if rest[0] != ':' {
			return false
		}
		return isPort(rest[1:])
	}
	if i := strings.IndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
		if host == "" {
			return false
		}
	}
	return isOf(host, "") && isPort(port)
}

func isPort(text string) bool {
	if text == "" {
		return true
	}
	for i := range len(text) {
		if !isDigit(text[i]) {
			return false
		}
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// hasOnly tells whether a text is made of pchar (RFC 3986 section 3.3) and some further characters.
func hasOnly(text, further string) bool { return isOf(text, ":@"+further) }

// isOf tells whether a text is made of unreserved characters, sub-delims, some further characters and percent-encoded bytes
// (RFC 3986 section 2).
func isOf(text, further string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case isAlphanumeric(c), strings.IndexByte("-._~!$&'()*+,;=", c) >= 0, strings.IndexByte(further, c) >= 0:
		case c == '%' && i+2 < len(text) && !notHex(text[i+1]) && !notHex(text[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}
