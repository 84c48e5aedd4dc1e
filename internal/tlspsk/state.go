package tlspsk

import (
	"crypto/tls"
	"net"
	"time"
)

// A State is what a handshake has come to, and what the client has proven in it.
type State struct {
	Identity string    // of the pre-shared key that the client has proven; "" without one
	Proof    string    // of that key, as psk.Key has it
	Until    time.Time // when that key ends; zero is never
	Chain    [][]byte  // certificates of the client in DER, leaf first, whose key it has proven; nobody has verified them
	Version  uint16    // tls.VersionTLS12 or tls.VersionTLS13
	Suite    uint16    // number of the cipher suite
	Protocol string    // agreed on with ALPN; "" if none was
}

// StateOf is the state of a connection that comes from a Listener, or from crypto/tls, or of one that such a connection is wrapped
// in, with a method NetConn that tells it. It is not ok without TLS, and before the end of the handshake.
func StateOf(conn net.Conn) (state State, ok bool) {
	for conn != nil {
		switch c := conn.(type) {
		case interface{ State() (State, bool) }:
			return c.State()
		case *tls.Conn:
			return stateOfTLS(c)
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return State{}, false
		}
	}
	return State{}, false
}

func stateOfTLS(c *tls.Conn) (state State, ok bool) {
	s := c.ConnectionState()
	if !s.HandshakeComplete {
		return State{}, false
	}
	state = State{Version: s.Version, Suite: s.CipherSuite, Protocol: s.NegotiatedProtocol}
	for _, certificate := range s.PeerCertificates {
		state.Chain = append(state.Chain, certificate.Raw)
	}
	return state, true
}
