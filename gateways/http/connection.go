package http

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/fairlead/fairlead/internal/assertion"
)

// A connection is what requests of one TLS connection have in common: who is at its other end. It is found out with the first of them,
// when the handshake is over.
type connection struct {
	conn net.Conn

	once      sync.Once
	proven    proven
	statement assertion.Statement
	err       error
}

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
		client := clientOf(c.conn)
		client.Remote = address
		c.proven = provenBy(&client)
		c.statement, c.err = assertion.State(client)
	})
	return c.statement, c.err
}

// clientOf is what the client of a connection has proven in its handshake.
func clientOf(conn net.Conn) (c assertion.Client) {
	if secured, ok := conn.(*tls.Conn); ok {
		for _, certificate := range secured.ConnectionState().PeerCertificates {
			c.Chain = append(c.Chain, certificate.Raw)
		}
	}
	return c
}

func provenBy(c *assertion.Client) proven {
	switch {
	case c.Identity != "":
		return provenPreSharedKey
	case len(c.Chain) > 0:
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
