package dtls

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/fairlead/fairlead/internal/datagram"
)

// A Conn is one session. Read is for one goroutine, everything else for any.
type Conn struct {
	link     *link
	conn     *dtls.Conn
	identity []byte
	chain    [][]byte
}

// Identity is that of the pre-shared key that the client has proven, "" if it has not proven any.
func (c *Conn) Identity() string { return string(c.identity) }

// Proof is that of the pre-shared key that the client has proven, as Secrets.Key gave it; "" without one.
func (c *Conn) Proof() string {
	if len(c.identity) == 0 {
		return ""
	}
	return c.link.proof
}

// Chain is the client's certificates in DER, leaf first, whose key it has proven. Nobody has verified them. Without a
// certificate there is none.
func (c *Conn) Chain() [][]byte { return c.chain }

// Until is when the pre-shared key ends; zero is never.
func (c *Conn) Until() time.Time { return c.link.until }

// Remote is where the client is now.
func (c *Conn) Remote() netip.AddrPort { return c.link.remote().Remote }

// Done is closed when the session has ended.
func (c *Conn) Done() <-chan struct{} { return c.link.done }

// Keep marks the session as one of an admitted client: it gives way only when no other can.
func (c *Conn) Keep() {
	if entry := c.link.entry.Load(); entry != nil {
		entry.Keep()
	}
}

// Read waits for the next message. A message that does not fit into b is dropped. At the end of the session it returns
// io.EOF.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		n, err := c.conn.Read(b)
		switch {
		case err == nil:
			c.link.entry.Load().Use()
			return n, nil
		case c.link.at() == closed || errors.Is(err, io.EOF):
			return 0, io.EOF
		default:
			c.link.listener.metrics.drop(dropUnread)
		}
	}
}

// Write sends a message.
func (c *Conn) Write(b []byte) error {
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("sending to a DTLS session: %w", err)
	}
	return nil
}

// Close ends the session with a close_notify.
func (c *Conn) Close() { c.link.end() }

func (k *link) remote() datagram.Peer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peer.(datagram.Peer) //nolint:forcetypeassert // see newLink
}
