package http

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

// A connection is what requests of one TLS connection have in common: who is at its other end. It is found out with the first of them,
// after the handshake.
type connection struct {
	conn net.Conn

	once      sync.Once
	proven    proven
	statement assertion.Statement
	err       error
}

var errNoHandshake = errors.New("the connection is not one of TLS")

// What a client has proven in the handshake, for metrics.
type proven string

const (
	provenNothing      proven = "nothing"
	provenCertificate  proven = "certificate"
	provenPreSharedKey proven = "psk"
)

// client is the client of the connection, at an address, written down for the functions.
func (c *connection) client(address string) (assertion.Statement, error) {
	c.once.Do(func() {
		state, ok := tlspsk.StateOf(c.conn)
		if !ok {
			c.err = errNoHandshake
			return
		}
		c.proven = provenBy(&state)
		c.statement, c.err = assertion.State(assertion.Client{Remote: address, Chain: state.Chain, Identity: state.Identity, Proof: state.Proof})
	})
	return c.statement, c.err
}

func provenBy(s *tlspsk.State) proven {
	switch {
	case s.Identity != "":
		return provenPreSharedKey
	case len(s.Chain) > 0:
		return provenCertificate
	default:
		return provenNothing
	}
}

// connectionKey is that of a connection in the context of its requests.
type connectionKey struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{conn: conn})
}

// connectionOf is the connection of a request. Every request of the server has one.
func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}
