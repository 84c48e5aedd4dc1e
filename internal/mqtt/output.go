package mqtt

import (
	"errors"
	"time"
)

// Limits of what waits to be written.
const (
	maxDue   = 64 << 10     // bytes of answers, beyond which nothing more is read from the client
	maxBatch = streamBuffer // bytes that deliveries are gathered into
)

// An output is what waits to be written to a client: answers, which are all due, in order; after them deliveries, of which
// the oldest give way. Whoever adds something starts a goroutine that writes, unless there is one; it takes with it what
// has come in the meantime and ends when nothing is left. The mutex of the connection guards an output.
type output struct {
	due        []byte // pooled; nil if nothing is due
	deliveries deliveries
	rearm      time.Time // when the write deadline has to be set anew
	open       bool      // something may be written: the CONNACK is among what is due, or has gone before
	writing    bool      // there is a goroutine that writes
	sealed     bool      // nothing may be added: the last packet is in due
}

// crowded tells whether the client does not read its answers.
func (o *output) crowded() bool { return len(o.due) > maxDue }

func (o *output) empty() bool { return len(o.due) == 0 && o.deliveries.len() == 0 }

// say puts an answer among those that are due. encode gets the reason string that the client may be told; if the client
// takes no packet that large it is asked again, without one. c.mu is held, and given back with release.
func (c *Conn) say(text string, encode func(b []byte, text string) []byte) {
	if c.out.sealed {
		return
	}
	b := c.out.due
	if b == nil {
		b = c.server.buffers.get(tinyBuffer)[:0]
	}
	start := len(b)
	if !c.explains {
		text = ""
	}
	b = encode(b, brief(text))
	if text != "" && c.exceeds(len(b)-start) {
		b = encode(b[:start], "")
	}
	if c.exceeds(len(b) - start) {
		b = b[:start] // discarded, as if it had been sent (section 3.1.2.11.4)
	}
	if len(b) == 0 {
		c.server.buffers.put(b)
		b = nil
	}
	c.out.due = b
}

// exceeds tells whether the client does not take a packet of so many bytes.
func (c *Conn) exceeds(size int) bool { return c.largest > 0 && size > int(c.largest) }

// answer says something on behalf of the goroutine that reads, which waits if the client does not read its answers.
func (c *Conn) answer(encode func(b []byte, text string) []byte) {
	c.mu.Lock()
	defer c.release()
	for c.out.crowded() && c.ended == nil {
		c.changed.Wait()
	}
	c.say("", encode)
}

// release unlocks c.mu, and sees to it that what has been added is written.
func (c *Conn) release() {
	start := c.out.open && !c.out.writing && !c.out.empty()
	if start {
		c.out.writing = true
	}
	c.mu.Unlock()
	if start {
		go c.write()
	}
}

// write writes until nothing is left.
func (c *Conn) write() {
	for {
		c.mu.Lock()
		batch := c.batch()
		if batch == nil {
			c.out.writing = false
			c.changed.Signal()
			c.mu.Unlock()
			return
		}
		c.changed.Signal()
		c.sends.tell()
		c.mu.Unlock()
		err := c.send(batch)
		c.server.buffers.put(batch)
		if err != nil {
			c.breakOff()
		}
	}
}

// batch takes what is to be written next. c.mu is held.
func (c *Conn) batch() []byte {
	b, waiting := c.out.due, &c.out.deliveries
	c.out.due = nil
	if b == nil && waiting.len() > 0 {
		b = waiting.pop()
	}
	for next := waiting.oldest(); next != nil && len(b)+len(next) <= maxBatch; next = waiting.oldest() {
		if cap(b)-len(b) < len(next) {
			larger := append(c.server.buffers.get(maxBatch)[:0], b...)
			c.server.buffers.put(b)
			b = larger
		}
		b = append(b, next...)
		c.server.buffers.put(waiting.pop())
	}
	return b
}

// send writes once. The deadline lies between one and one and a half times the write timeout ahead. A panic on the way is
// an error.
func (c *Conn) send(b []byte) (err error) {
	err = errPanic
	c.server.recoverPanics(func() { err = c.trySend(b) })
	return err
}

var errPanic = errors.New("writing panicked")

func (c *Conn) trySend(b []byte) error {
	timeout := c.server.config.WriteTimeout
	if now := time.Now(); now.After(c.out.rearm) {
		if err := c.link.SetWriteDeadline(now.Add(timeout + timeout/2)); err != nil {
			return err
		}
		c.out.rearm = now.Add(timeout / 2)
	}
	_, err := c.link.Write(b)
	return err
}

// breakOff gives up on a client that cannot be written to.
func (c *Conn) breakOff() {
	c.mu.Lock()
	c.endLocked(lost())
	c.out.sealed = true
	c.discard()
	c.broken = true
	c.mu.Unlock()
}

// discard forgets what waits to be written. c.mu is held.
func (c *Conn) discard() {
	if c.out.due != nil {
		c.server.buffers.put(c.out.due)
		c.out.due = nil
	}
	c.dropDeliveries()
}

func (c *Conn) dropDeliveries() {
	for c.out.deliveries.len() > 0 {
		c.server.buffers.put(c.out.deliveries.pop())
		c.server.metrics.droppedClosed.Add(1)
	}
}
