package tlspsk

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/tlspsk/openssl"
)

const (
	// idleBuffer is what a connection that waits for its client reads into, in bytes.
	idleBuffer = 512

	// recordBytes is enough for a record: 16384 bytes, and what encryption adds. Buffers of that size are shared, and used
	// while more than a little is read or something is written.
	recordBytes = 16<<10 + 512

	plaintextBytes = 16 << 10 // that are encrypted at once

	// goodbyeTimeout is how long the close_notify may take.
	goodbyeTimeout = 5 * time.Second
)

var (
	errShutdown = errors.New("nothing can be written after a close_notify")
	recordsPool = sync.Pool{New: func() any { return new([recordBytes]byte) }}
)

func record() *[recordBytes]byte {
	return recordsPool.Get().(*[recordBytes]byte) //nolint:forcetypeassert // the pool holds nothing else
}

// A keyConn is the connection of a client that has proven a pre-shared key. Addresses and deadlines are those of the connection
// below.
//
// Locks are taken in the order in which they stand here. mu is held while OpenSSL computes, never while anything waits for
// the network.
type keyConn struct {
	net.Conn
	state   State
	metrics *metrics

	reading sync.Mutex
	small   [idleBuffer]byte
	large   *[recordBytes]byte // nil unless much is coming
	input   []byte             // what has come and OpenSSL has not taken
	full    bool               // the last read filled its buffer: more is probably waiting

	writing sync.Mutex // keeps in order what is sent
	broken  error      // why nothing can be written any more

	mu      sync.Mutex
	session *openssl.Session // nil after Close
	due     []byte           // to be sent before anything else: answers that OpenSSL gives while it reads
}

func newKeyConn(raw net.Conn, session *openssl.Session, state State, early []byte, m *metrics) *keyConn {
	return &keyConn{Conn: raw, session: session, state: state, input: early, metrics: m}
}

// State is what the handshake has come to.
func (c *keyConn) State() (State, bool) { return c.state, true }

// Read reads what the client has encrypted. Without a close_notify the end is io.ErrUnexpectedEOF.
func (c *keyConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		step, answers, err := c.decrypt(b)
		if answers {
			c.answer()
		}
		switch {
		case step.Done > 0:
			return step.Done, nil
		case err != nil:
			return 0, err
		case step.Want == openssl.End:
			return 0, io.EOF
		case step.Want == openssl.Input:
			if err := c.fill(); err != nil {
				return 0, err
			}
		}
	}
}

// decrypt gives OpenSSL what has come. answers tells whether something is to be sent.
func (c *keyConn) decrypt(b []byte) (step openssl.Step, answers bool, err error) {
	var out [256]byte // an alert, or a new key; with more it goes on
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return openssl.Step{}, false, net.ErrClosed
	}
	step, err = c.session.Read(c.input, out[:], b)
	c.input = c.input[step.Consumed:]
	if len(c.input) == 0 {
		c.release()
	}
	c.due = append(c.due, out[:step.Produced]...)
	return step, len(c.due) > 0, err
}

// release gives back the large buffer, if there is one. Nothing is left in it.
func (c *keyConn) release() {
	c.input = nil
	if c.large != nil {
		recordsPool.Put(c.large)
		c.large = nil
	}
}

// fill waits for the client. All of the input has been taken.
func (c *keyConn) fill() error {
	into := c.small[:]
	if c.full {
		c.large = record()
		into = c.large[:]
	}
	n, err := c.Conn.Read(into)
	c.input, c.full = into[:n], n == len(into)
	if n > 0 {
		return nil // the next read has the error again
	}
	c.release()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// answer sends what is due.
func (c *keyConn) answer() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	due := c.take()
	c.mu.Unlock()
	_ = c.send(due)
}

// take takes what is due. mu is held.
func (c *keyConn) take() []byte {
	due := c.due
	c.due = nil
	return due
}

// send writes to the client. What is written in part breaks the connection. writing is held.
func (c *keyConn) send(b []byte) error {
	if len(b) == 0 || c.broken != nil {
		return c.broken
	}
	if _, err := c.Conn.Write(b); err != nil {
		c.broken = err
	}
	return c.broken
}

// Write encrypts for the client.
func (c *keyConn) Write(b []byte) (written int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	out := record()
	defer recordsPool.Put(out)
	for written < len(b) {
		if c.broken != nil {
			return written, c.broken
		}
		step, due, err := c.encrypt(b[written:min(len(b), written+plaintextBytes)], out[:])
		if err := errors.Join(c.send(due), c.send(out[:step.Produced]), err); err != nil {
			return written, err
		}
		written += step.Done
	}
	return written, nil
}

// encrypt has OpenSSL encrypt. due is to be sent first.
func (c *keyConn) encrypt(b, out []byte) (step openssl.Step, due []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return step, nil, net.ErrClosed
	}
	due = c.take()
	step, err = c.session.Write(b, out)
	return step, due, err
}

// CloseWrite sends a close_notify.
func (c *keyConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.goodbye()
}

// goodbye is CloseWrite for who holds writing.
func (c *keyConn) goodbye() error {
	if c.broken != nil {
		return c.broken
	}
	var out [256]byte
	c.mu.Lock()
	if c.session == nil {
		c.mu.Unlock()
		return net.ErrClosed
	}
	due := c.take()
	step := c.session.Shutdown(out[:])
	c.mu.Unlock()
	err := errors.Join(c.send(due), c.send(out[:step.Produced]))
	if c.broken == nil {
		c.broken = errShutdown
	}
	return err
}

// Close ends the connection, with a close_notify unless somebody is writing.
func (c *keyConn) Close() error {
	if c.writing.TryLock() {
		if c.broken == nil && c.SetWriteDeadline(time.Now().Add(goodbyeTimeout)) == nil {
			_ = c.goodbye()
		}
		c.writing.Unlock()
	}
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.Free()
		c.session = nil
		c.metrics.closed()
	}
	return err
}
