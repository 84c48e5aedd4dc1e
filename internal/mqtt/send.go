package mqtt

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

const (
	// maxUnacknowledged is how many messages of QoS 1 a client may leave unacknowledged. One of version 5 may ask for fewer.
	maxUnacknowledged = 1024
	// maxSending is how many bytes may be due when a message is added; it leaves room for answers.
	maxSending = maxDue / 2
)

// ErrEnded says that a connection has ended, or that it did before a message was acknowledged.
var ErrEnded = errors.New("the connection has ended")

// sends are the messages of QoS 1 that a client has not acknowledged. There is no memory in them while there are none.
type sends struct {
	waiting map[uint16]func(error) // by packet identifier
	last    uint16                 // identifier that was given last
	window  int                    // how many there may be
	free    chan struct{}          // is closed when there may be room again; nil while nobody waits
}

// take finds an identifier that is not in use. There is one: fewer are in use than there are.
func (s *sends) take(done func(error)) (id uint16) {
	if s.waiting == nil {
		s.waiting = map[uint16]func(error){}
	}
	for {
		s.last++
		if _, used := s.waiting[s.last]; !used && s.last != 0 {
			s.waiting[s.last] = done
			return s.last
		}
	}
}

// tell wakes those who wait for room.
func (s *sends) tell() {
	if s.free != nil {
		close(s.free)
		s.free = nil
	}
}

// Send sends a message to the client, and loses none, unlike Deliver. It waits until there is room for it: the client reads what is
// sent to it, and, with QoS 1, acknowledges what came before. Its error is that of ctx, or ErrEnded. If there is none, done is called
// exactly once, from any goroutine, perhaps before Send returns: with nil when the client has acknowledged the message or, with
// QoS 0, when it is about to be written; else with ErrEnded. done must not block. A message that is larger than what the client takes
// counts as acknowledged, as section 3.1.2.11.4 demands. Send copies what it needs.
func (c *Conn) Send(ctx context.Context, p *packet.Publish, done func(error)) error {
	message := *p
	message.Dup, message.TopicAlias, message.PacketID = false, 0, 0
	message.QoS = min(p.QoS, 1)
	if err := c.sendLocked(ctx, message.QoS); err != nil {
		return err
	}
	fits := c.add(&message, done)
	c.release()
	if !fits || message.QoS == 0 {
		done(nil)
	}
	return nil
}

// sendLocked waits for room, and returns with c.mu held if there is no error.
func (c *Conn) sendLocked(ctx context.Context, qos byte) error {
	for {
		c.mu.Lock()
		if c.ended != nil || c.out.sealed {
			c.mu.Unlock()
			return ErrEnded
		}
		if len(c.out.due) <= maxSending && (qos == 0 || len(c.sends.waiting) < c.sends.window) {
			return nil
		}
		if c.sends.free == nil {
			c.sends.free = make(chan struct{})
		}
		free := c.sends.free
		c.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add puts a message among what is due, and tells whether the client takes one that large. c.mu is held.
func (c *Conn) add(p *packet.Publish, done func(error)) (fits bool) {
	b := c.room(sizeOf(p))
	start := len(b)
	if p.QoS > 0 {
		p.PacketID = c.sends.take(done)
	}
	b = p.Append(b, c.version)
	if c.exceeds(len(b) - start) {
		c.server.metrics.droppedTooLarge.Add(1)
		delete(c.sends.waiting, p.PacketID)
		c.out.due = b[:start]
		return false
	}
	c.out.due = b
	return true
}

// room is what is due, in a buffer with room for n bytes more. c.mu is held.
func (c *Conn) room(n int) []byte {
	b := c.out.due
	if cap(b)-len(b) >= n {
		return b
	}
	larger := append(c.server.buffers.get(max(len(b)+n, 2*cap(b)))[:0], b...)
	if b != nil {
		c.server.buffers.put(b)
	}
	return larger
}

// acknowledged takes a PUBACK. One that refuses a message settles it, too: the client has had it.
func (c *Conn) acknowledged(body []byte) error {
	var p packet.Ack
	if err := p.Decode(body, c.version); err != nil {
		return err
	}
	if err := p.Check(packet.PUBACK); err != nil {
		return err
	}
	c.mu.Lock()
	done, known := c.sends.waiting[p.PacketID]
	delete(c.sends.waiting, p.PacketID)
	c.sends.tell()
	c.mu.Unlock()
	if !known {
		return &packet.Error{Reason: packet.ProtocolError, What: "there is no message that PUBACK could belong to"}
	}
	done(nil)
	return nil
}

// abandonSends says that nothing will be acknowledged any more. The connection has ended.
func (c *Conn) abandonSends() {
	c.mu.Lock()
	waiting := c.sends.waiting
	c.sends.waiting = nil
	c.mu.Unlock()
	for _, done := range waiting {
		done(ErrEnded)
	}
}
