package forwarded

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The headers in which proxies say whom they forward for.
const (
	xForwardedFor = "x-forwarded-for"
	forwardedName = "forwarded"
)

// A Config says which proxies are believed.
type Config struct {
	Trusted []string `doc:"addresses and CIDR prefixes of the proxies before this process, whose word on the sender's address is believed; empty: none, and the sender is who connects. Behind Knative's queue-proxy that is 127.0.0.0/8 and ::1, and the addresses of the ingress and the activator"`
	Header  string   `doc:"the header that these proxies write: X-Forwarded-For or Forwarded; empty: X-Forwarded-For, or Forwarded where it is missing. A header that they only pass on is the sender's own"`

	CertificateProof string `doc:"text that the proxy which ends TLS puts into the header X-Fairlead-Proof of every request, in place of what a sender wrote there: with it the client certificate in X-Forwarded-Client-Cert is believed, and devices can log in with it; empty: it is never believed. At least 16 characters" secret:"true"`
}

// DefaultConfig believes nobody.
func DefaultConfig() Config { return Config{} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if _, err := prefixes(c.Trusted); err != nil {
		return fmt.Errorf("trusted: %w", err)
	}
	if !slices.Contains([]string{"", xForwardedFor, forwardedName}, strings.ToLower(c.Header)) {
		return errors.New("header: must be X-Forwarded-For, Forwarded or empty")
	}
	const least = 16 // characters of a secret that nobody guesses
	switch {
	case c.CertificateProof == "":
		return nil
	case len(c.CertificateProof) < least:
		return errors.New("certificateProof: must have at least 16 characters")
	case len(c.Trusted) == 0:
		return errors.New("certificateProof: has no effect without trusted")
	}
	return nil
}

// prefixes reads addresses, which are prefixes of their own, and prefixes.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
			address = address.Unmap()
			all = append(all, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Addr().Is4In6() {
			return nil, errors.New("must be addresses such as 10.0.0.1 or prefixes such as 10.0.0.0/8")
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}
