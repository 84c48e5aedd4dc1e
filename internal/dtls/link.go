package dtls

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5/deadline"

	"github.com/fairlead/fairlead/internal/datagram"
	"github.com/fairlead/fairlead/internal/idle"
	"github.com/fairlead/fairlead/internal/psk"
)

// Bounds of one link.
const (
	inboxSize = 16 // datagrams that wait for pion; beyond, they are dropped, as UDP does

	unprovenBytes   = 8 << 10  // that a client may send before it has returned the cookie
	handshakeBudget = 64 << 10 // that it may send until the handshake is done; a chain of certificates fits several times
	afterwards      = 8 << 10  // in the clear after the handshake: its last messages again, if ours got lost
)

// abandonedAfter is how long a client must have been silent in the middle of a handshake, before another one that begins from its
// address takes its place: clients repeat what is not answered within a second or two.
const abandonedAfter = 2 * time.Second

// A stage is how far a link has come.
type stage int32

const (
	unproven stage = iota
	handshaking
	established
	closed
)

// A link is the way of one session's datagrams: what pion reads from and writes to in place of a socket.
type link struct {
	listener  *Listener
	ctx       context.Context // ends with the handshake, and with the link
	cancel    context.CancelFunc
	inbox     chan packet
	done      chan struct{}
	once      sync.Once
	ending    sync.Once
	reading   *deadline.Deadline
	stage     atomic.Int32
	budget    atomic.Int64 // bytes that may still come in the clear
	entry     atomic.Pointer[idle.Entry[*link]]
	heard     atomic.Int64 // when something came in the clear, in nanoseconds of Unix time
	random    clientRandom
	until     time.Time    // of the key; written in the handshake
	proof     string       // of the key; written in the handshake
	failure   psk.Failure  // what the handshake is about, should it fail; written in the handshake
	undecided error        // of looking up the key; written in the handshake
	owned     atomic.Bool  // the client has shown that its address is its own
	keyed     atomic.Bool  // the key has been looked up
	doubted   atomic.Int64 // when the key did not open a record, for the first time, in nanoseconds of Unix time; 0: it has not happened
	disproved atomic.Bool  // the client has another key
	givenUp   atomic.Bool  // we ended the handshake: for room, for what it cost, or for another one of the same client

	mu   sync.Mutex
	peer net.Addr      // a datagram.Peer; where the client is now
	id   *connectionID // nil if the client does not use one
	conn interface{ Close() error }
}

var _ net.PacketConn = (*link)(nil)

// A packet is a datagram with its buffer, which goes back to the pool.
type packet struct {
	buffer *[]byte
	size   int
	from   net.Addr
}

func newLink(l *Listener, peer datagram.Peer, random clientRandom) *link {
	k := &link{
		random:   random,
		listener: l,
		inbox:    make(chan packet, inboxSize),
		done:     make(chan struct{}),
		reading:  deadline.New(),
		peer:     peer,
	}
	k.budget.Store(unprovenBytes)
	k.ctx, k.cancel = context.WithTimeout(l.ctx, l.config.HandshakeTimeout)
	return k
}

func (k *link) at() stage { return stage(k.stage.Load()) }

// deliver hands a datagram to pion. It copies, never blocks, and tells whether there was room.
func (k *link) deliver(b []byte, from datagram.Peer) bool {
	buffer := k.listener.buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	p := packet{buffer: buffer, size: copy(*buffer, b), from: k.address(from)}
	select {
	case k.inbox <- p:
		return true
	default:
		k.listener.buffers.Put(buffer)
		return false
	}
}

// address is the sender as net.Addr, without making a new one as long as it stays the same.
func (k *link) address(from datagram.Peer) net.Addr {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.peer == net.Addr(from) {
		return k.peer
	}
	return from
}

// spend takes bytes from what may come in the clear.
func (k *link) spend(n int) bool {
	k.heard.Store(time.Now().UnixNano())
	return k.budget.Add(-int64(n)) >= 0
}

// abandoned tells whether nothing has come of the handshake for long enough.
func (k *link) abandoned() bool {
	return time.Since(time.Unix(0, k.heard.Load())) > abandonedAfter
}

// takes tells whether a link that is still among the beginnings may be given an encrypted datagram. It may already be
// established: a client that has our last message sends at once.
func (k *link) takes(n int) bool {
	switch k.at() {
	case handshaking:
		return k.spend(n)
	case established:
		return true
	default:
		return false
	}
}

// ReadFrom gives pion the next datagram.
func (k *link) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-k.inbox:
		n := copy(b, (*p.buffer)[:p.size])
		k.listener.buffers.Put(p.buffer)
		return n, p.from, nil
	case <-k.done:
		return 0, nil, net.ErrClosed
	case <-k.reading.Done():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo sends a datagram of pion's to where it says the client is.
func (k *link) WriteTo(b []byte, to net.Addr) (int, error) {
	peer := to.(datagram.Peer) //nolint:forcetypeassert // pion knows no other addresses than ours
	switch k.at() {
	case closed:
		return 0, net.ErrClosed
	case unproven:
		if r, ok := parse(b); ok && r.handshake == serverHello {
			k.listener.prove(k)
		}
	case established:
		k.follow(peer)
	}
	if err := k.listener.socket.Write(b, peer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// follow notes that pion has found its client at another address.
func (k *link) follow(peer datagram.Peer) {
	k.mu.Lock()
	old := k.peer.(datagram.Peer) //nolint:forcetypeassert // see newLink
	moved := old != peer
	if moved {
		k.peer = peer
	}
	k.mu.Unlock()
	if moved {
		k.listener.move(k, old)
	}
}

// newConnectionID makes the connection ID of a client that can use one.
func (k *link) newConnectionID() []byte {
	id := k.listener.identify(k)
	k.mu.Lock()
	old := k.id
	k.id = &id
	k.mu.Unlock()
	if old != nil {
		k.listener.release(*old)
	}
	return id[:]
}

// end closes the link, with close_notify if there is a session. Who calls it at the same time waits, so that nobody closes the
// link before the close_notify is out.
func (k *link) end() {
	k.ending.Do(func() {
		k.mu.Lock()
		conn := k.conn
		k.mu.Unlock()
		if conn != nil && k.at() == established {
			_ = conn.Close()
		}
		_ = k.Close()
	})
}

// Close ends the link without a word to the client. Pion calls it at the end of a session.
func (k *link) Close() error {
	k.once.Do(func() {
		k.stage.Store(int32(closed))
		k.cancel()
		close(k.done)
		k.listener.forget(k)
	})
	return nil
}

// LocalAddr is where we listen.
func (k *link) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(k.listener.socket.Address()) }

// SetDeadline sets the deadline of ReadFrom; WriteTo needs none.
func (k *link) SetDeadline(t time.Time) error { return k.SetReadDeadline(t) }

// SetReadDeadline sets the deadline of ReadFrom.
func (k *link) SetReadDeadline(t time.Time) error {
	k.reading.Set(t)
	return nil
}

// SetWriteDeadline does nothing: a datagram is sent at once or not at all.
func (k *link) SetWriteDeadline(time.Time) error { return nil }
