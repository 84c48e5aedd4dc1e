package mqtt

import "time"

// How long, and for how many bytes, a client may still be sending when its connection has ended.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// closeGracefully closes the link when the last word is written.
func (c *Conn) closeGracefully() {
	defer c.link.Close() // nothing is left to be lost
	c.in.release()
	c.mu.Lock()
	for c.out.writing {
		c.changed.Wait()
	}
	orderly := !c.broken && (!c.ended.quiet || c.ended.Normal)
	c.mu.Unlock()
	if orderly {
		c.linger()
	}
}

// linger lets the client read the last word. A link that is closed while something from the client is unread is reset, and
// then the client may lose what it has not read yet (RFC 1122, section 4.2.2.13). So the link is closed in one direction,
// and what comes in the other is thrown away until the client closes it too.
func (c *Conn) linger() {
	half, ok := c.link.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.link.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	for budget := lingerBytes; budget > 0; {
		n, err := c.link.Read(c.in.small[:])
		if err != nil {
			return
		}
		budget -= n
	}
}
