package endpoint

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/assertion"
)

// A proven is what the client of a request has proven in the TLS handshake, which somebody before this process has ended.
type proven struct {
	chain           [][]byte // certificates in DER, the client's first
	identity, proof string   // of a pre-shared key
}

func (p *proven) none() bool { return p.identity == "" && len(p.chain) == 0 }

// provenIn reads what a gateway asserts (internal/assertion), or else a certificate that a proxy has forwarded (internal/forwarded). An
// assertion that is not believed is an error.
func provenIn(r *http.Request) (p proven, err error) {
	client, asserted, err := assertion.Of(r.Context())
	switch {
	case err != nil:
		return p, unreadableLogin(err.Error())
	case asserted:
		return proven{client.Chain, client.Identity, client.Proof}, nil
	case r.TLS == nil:
		return p, nil
	}
	for _, certificate := range r.TLS.PeerCertificates {
		p.chain = append(p.chain, certificate.Raw)
	}
	return p, nil
}
