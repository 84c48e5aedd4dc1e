package mqtt

import (
	"errors"
	"os"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A scratch holds decoded packets. A connection has one only while it works on what it has read.
type scratch struct {
	publish     packet.Publish
	subscribe   packet.Subscribe
	unsubscribe packet.Unsubscribe
	disconnect  packet.Disconnect
	reasons     []packet.Reason
}

// forget lets go of everything that lies in the buffer of a connection.
func (s *scratch) forget() {
	clear(s.subscribe.Subscriptions)
	clear(s.unsubscribe.Filters)
	*s = scratch{
		subscribe:   packet.Subscribe{Subscriptions: s.subscribe.Subscriptions[:0]},
		unsubscribe: packet.Unsubscribe{Filters: s.unsubscribe.Filters[:0]},
		reasons:     s.reasons[:0],
	}
}

// serve runs an admitted connection to its end.
func (c *Conn) serve() {
	defer c.server.forget(c)
	var e *ending
	c.server.recoverPanics(func() { e = c.read() })
	if e == nil { // it panicked
		e = &ending{End: End{Reason: packet.UnspecifiedError}}
	}
	c.end(e)
	c.server.recoverPanics(c.abandonSends)
	c.server.recoverPanics(c.closed)
	c.server.recoverPanics(c.closeGracefully)
}

// closed tells the session.
func (c *Conn) closed() {
	defer c.server.limits.connectionClosed()
	c.mu.Lock()
	end := c.ended.End
	c.mu.Unlock()
	c.session.Closed(end)
}

// read works on what the client sends, and waits for more.
func (c *Conn) read() *ending {
	c.heard = true
	for {
		if err := c.work(); err != nil {
			c.server.metrics.malformed(err)
			if _, broken := errors.AsType[*packet.Error](err); broken {
				c.broke(err)
			}
			return endingOf(err)
		}
		c.listen()
		if err := c.in.fill(); err != nil {
			return c.silent(err)
		}
	}
}

// work handles the packets that have been read.
func (c *Conn) work() error {
	var s *scratch
	defer func() { c.server.putScratch(s) }()
	for {
		h, body, ok, err := c.in.next(c.server.config.MaxPacket)
		if err != nil {
			if passed, err := c.passOver(h, err); err != nil || !passed {
				return err
			}
			continue
		}
		if !ok {
			c.heard = c.heard || c.in.skip > 0
			return nil
		}
		if s == nil {
			s = c.server.getScratch()
		}
		c.heard = true
		c.server.metrics.packets[h.Type].Add(1)
		if err := c.handle(h, body, s); err != nil {
			return err
		}
	}
}

func (c *Conn) handle(h packet.Header, body []byte, s *scratch) error {
	switch h.Type {
	case packet.PUBLISH:
		return c.publish(h.Flags, body, s)
	case packet.PUBACK:
		return c.acknowledged(body)
	case packet.SUBSCRIBE:
		return c.subscribe(body, s)
	case packet.UNSUBSCRIBE:
		return c.unsubscribe(body, s)
	case packet.PINGREQ:
		return c.ping(body)
	case packet.DISCONNECT:
		return c.leave(body, s)
	default:
		return c.misplaced(h.Type)
	}
}

// misplaced says what is wrong with a packet that no client may send within a session.
func (c *Conn) misplaced(t packet.Type) error {
	broken := &packet.Error{Reason: packet.ProtocolError}
	switch {
	case t == packet.CONNECT:
		broken.What = "there has been a CONNECT before"
	case t == packet.AUTH && c.version == packet.V5:
		broken.What = "there is no authentication method to go on with"
	case t == packet.PUBREC, t == packet.PUBREL, t == packet.PUBCOMP:
		broken.What = "there is no message that " + t.String() + " could belong to"
	case t == packet.AUTH:
		broken.Reason, broken.What = packet.MalformedPacket, "version 3.1.1 has no packet type 15"
	default:
		broken.What = "only a server sends " + t.String()
	}
	return broken
}

func (c *Conn) ping(body []byte) error {
	if len(body) > 0 {
		return &packet.Error{Reason: packet.MalformedPacket, What: "PINGREQ has a body"}
	}
	c.answer(func(b []byte, _ string) []byte { return packet.AppendPingresp(b) })
	return nil
}

// leave is the end that the client wants. What it published before is stored, but it does not wait for the answers.
func (c *Conn) leave(body []byte, s *scratch) error {
	p := &s.disconnect
	if err := p.Decode(body, c.version); err != nil {
		return err
	}
	if p.SessionExpiry != 0 && !c.mayExpire {
		return &packet.Error{Reason: packet.ProtocolError, What: "a session without expiry in CONNECT has one in DISCONNECT"}
	}
	return &ending{End: End{Normal: p.Reason == packet.Success, Reason: p.Reason}, quiet: true}
}

// listen gives the client time for its next packet, if it has sent one since it was given time: at least as long as its
// keep-alive demands, and up to a sixteenth longer, so that the deadline need not be set for each packet.
func (c *Conn) listen() {
	if !c.heard {
		return
	}
	now, slack := time.Now(), c.silenceLimit/16
	if now.Sub(c.armed) < slack {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining || c.ended != nil {
		return
	}
	if err := c.link.SetReadDeadline(now.Add(c.silenceLimit + slack)); err == nil {
		c.armed, c.heard = now, false
	}
}

// silent says why there is nothing to read.
func (c *Conn) silent(err error) *ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended != nil:
		return c.ended
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return lost()
	case !c.draining:
		return &ending{End: End{Reason: packet.KeepAliveTimeout}, text: "no packet within one and a half times the keep-alive"}
	}
	for c.ended == nil && !c.flights.empty() {
		c.changed.Wait()
	}
	return &ending{End: End{Reason: packet.ServerShuttingDown}}
}
