package forwarded

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
)

// The headers of a client certificate.
const (
	clientCertificate = "X-Forwarded-Client-Cert"
	proofHeader       = "X-Fairlead-Proof"
)

// Bounds of a forwarded chain. What is beyond is no chain.
const (
	maxCertificates = 8
	maxChainBytes   = 64 << 10 // of the header
)

// certificates are the chain that a client has shown to a proxy, its own certificate first; nil where nobody proves to be a proxy
// that is believed in that. Both headers are taken out of the request.
func (p *Proxies) certificates(h http.Header) []*x509.Certificate {
	proofs, elements := h.Values(proofHeader), h.Values(clientCertificate)
	h.Del(proofHeader)
	h.Del(clientCertificate)
	if !p.proven || len(proofs) != 1 || len(elements) != 1 || len(elements[0]) > maxChainBytes {
		return nil
	}
	given := sha256.Sum256([]byte(proofs[0]))
	if subtle.ConstantTimeCompare(given[:], p.proof[:]) != 1 {
		return nil
	}
	return chainOf(elements[0])
}

// chainOf reads the last element of the header, which is that of the nearest proxy: pairs of a name and a value, of which Chain holds the
// chain and Cert only the first certificate, in URL-encoded PEM (Envoy's documentation of x-forwarded-client-cert).
func chainOf(line string) []*x509.Certificate {
	elements := cut(line, ',')
	values := map[string]string{}
	for _, pair := range cut(elements[len(elements)-1], ';') {
		name, value, _ := strings.Cut(pair, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := values[name]; twice {
			return nil
		}
		values[name] = unquoted(strings.TrimSpace(value))
	}
	text := values["chain"]
	if text == "" {
		text = values["cert"]
	}
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return nil
	}
	return parseChain([]byte(decoded))
}

func parseChain(text []byte) (chain []*x509.Certificate) {
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil || len(chain) == maxCertificates {
			return nil
		}
		chain, text = append(chain, certificate), rest
	}
	return chain
}
