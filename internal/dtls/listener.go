package dtls

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/datagram"
	"github.com/fairlead/fairlead/internal/idle"
	"github.com/fairlead/fairlead/internal/psk"
)

const (
	// maxDatagram is the largest datagram that is looked at, in bytes: a CoAP message of 2048 and what DTLS adds to it.
	maxDatagram = 2048 + 128

	// readPause follows an error of the socket, so that one that lasts does not take a processor.
	readPause = 10 * time.Millisecond

	// sweepPause is the time between two looks for idle sessions.
	sweepPause = 30 * time.Second
)

// Secrets are what handshakes need.
type Secrets struct {
	// Key finds the pre-shared key of an identity.
	Key psk.Lookup
	// Certificate is the server's own, asked for in each handshake that needs one. nil: only pre-shared keys.
	Certificate func() (*tls.Certificate, error)
	// Failed is told of handshakes that do not succeed, of clients whose address is their own. It must return soon. It may be
	// nil.
	Failed func(psk.Failure)
}

// A Listener accepts sessions at one socket.
type Listener struct {
	config    Config
	secrets   Secrets
	socket    *datagram.Socket
	buffers   sync.Pool
	store     *store
	metrics   *metrics
	ctx       context.Context
	cancel    context.CancelFunc
	accept    func(*Conn)
	links     sync.WaitGroup
	accepting bool // under mu

	mu         sync.RWMutex
	sessions   map[datagram.Peer]*link // established, by the client's address
	beginnings map[datagram.Peer]*link // not established
	byID       map[connectionID]*link

	unproven    idle.List[*link]
	handshaking idle.List[*link]
	established idle.List[*link]
}

// Listen opens a listener at host:port. It accepts nothing before Serve.
func Listen(address string, c Config, secrets Secrets) (*Listener, error) {
	socket, err := datagram.Listen(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Listener{
		config: c, secrets: secrets, socket: socket, store: newStore(c), ctx: ctx, cancel: cancel, accepting: true,
		sessions: map[datagram.Peer]*link{}, beginnings: map[datagram.Peer]*link{}, byID: map[connectionID]*link{},
	}
	l.buffers.New = func() any {
		b := make([]byte, maxDatagram)
		return &b
	}
	l.metrics = newMetrics(func() (int, int) { return l.established.Len(), l.unproven.Len() + l.handshaking.Len() })
	return l, nil
}

// Address is where the listener listens.
func (l *Listener) Address() netip.AddrPort { return l.socket.Address() }

// Serve reads from the socket until Close. It calls accept for each session, in a goroutine of its own, and ends the
// session when accept returns.
func (l *Listener) Serve(accept func(*Conn)) error {
	l.accept = accept
	go l.sweep()
	b := make([]byte, maxDatagram+1)
	for {
		n, from, err := l.socket.Read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			l.metrics.drop(dropUnread)
			time.Sleep(readPause)
		case n > maxDatagram:
			l.metrics.drop(dropOversize)
		default:
			l.route(b[:n], from)
		}
	}
}

// Refuse has the listener begin no more handshakes. Sessions go on.
func (l *Listener) Refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepting = false
}

// Close ends every session, with a close_notify, and returns when the functions that accepted them have.
func (l *Listener) Close() error {
	l.Refuse()
	l.cancel()
	for _, list := range []*idle.List[*link]{&l.unproven, &l.handshaking, &l.established} {
		for _, k := range list.All() {
			k.end()
		}
	}
	l.links.Wait()
	return l.socket.Close()
}

// route takes a datagram to its link.
func (l *Listener) route(b []byte, from datagram.Peer) {
	r, ok := parse(b)
	if !ok {
		l.metrics.drop(dropMalformed)
		return
	}
	l.mu.RLock()
	session, beginning, named := l.sessions[from], l.beginnings[from], l.byID[r.id]
	l.mu.RUnlock()
	switch {
	case r.kind == typeConnectionID:
		l.give(named, b, from)
	case r.epoch > 0:
		if beginning != nil && beginning.takes(len(b)) {
			l.give(beginning, b, from)
		}
		if session != nil || beginning == nil {
			l.give(session, b, from)
		}
	case r.begins() && (beginning == nil || randomOf(b) != beginning.random):
		l.beginAnew(beginning, b, from)
	case beginning != nil:
		l.giveClear(beginning, b, from)
	default:
		l.giveClear(session, b, from)
	}
}

// give hands a datagram to a link, if there is one.
func (l *Listener) give(k *link, b []byte, from datagram.Peer) {
	switch {
	case k == nil:
		l.metrics.drop(dropStray)
	case !k.deliver(b, from):
		l.metrics.drop(dropFull)
	}
}

// giveClear hands over what anybody may have sent, within the link's budget for that. A handshake that goes beyond its
// budget ends; a session only stops to listen to what is in the clear.
func (l *Listener) giveClear(k *link, b []byte, from datagram.Peer) {
	if k == nil || k.spend(len(b)) {
		l.give(k, b, from)
		return
	}
	l.metrics.drop(dropBudget)
	if k.at() != established {
		k.givenUp.Store(true)
		_ = k.Close()
	}
}

// beginAnew begins a handshake, in place of one that the client has given up. As long as something comes of the other one, the
// new beginning may be somebody else's, who only writes the client's address.
func (l *Listener) beginAnew(other *link, b []byte, from datagram.Peer) {
	if other != nil && !other.abandoned() {
		l.metrics.drop(dropStray)
		return
	}
	if other != nil {
		other.givenUp.Store(true)
		_ = other.Close()
	}
	l.begin(b, from)
}

// begin makes the link of a client that begins a handshake.
func (l *Listener) begin(b []byte, from datagram.Peer) {
	k := newLink(l, from, randomOf(b))
	l.mu.Lock()
	if !l.accepting {
		l.mu.Unlock()
		_ = k.Close()
		l.metrics.drop(dropClosing)
		return
	}
	l.beginnings[from] = k
	l.links.Add(1)
	l.mu.Unlock()
	l.put(k, &l.unproven, l.config.MaxUnproven)
	l.giveClear(k, b, from)
	go l.run(k)
}

// run does a link's handshake, and hands the session over. The session gets a goroutine of its own, whose stack has not grown
// with the handshake.
func (l *Listener) run(k *link) {
	conn := l.handshake(k)
	if conn == nil {
		_ = k.Close()
		l.links.Done()
		return
	}
	go func() {
		defer l.links.Done()
		defer k.end()
		l.accept(conn)
	}()
}

// put notes that a link has come to a stage, and ends the one that gives way for it.
func (l *Listener) put(k *link, list *idle.List[*link], bound int) {
	entry := list.Add(k)
	k.entry.Store(entry)
	if k.at() == closed {
		entry.Remove()
		return
	}
	for list.Len() > bound {
		gone, ok := list.Pop()
		if !ok {
			return
		}
		l.metrics.displaced(gone.at())
		gone.givenUp.Store(true)
		gone.end()
	}
}

// take undoes put.
func (l *Listener) take(k *link) {
	if entry := k.entry.Load(); entry != nil {
		entry.Remove()
	}
}

// prove notes that a client has returned the cookie, so that its address is its own.
func (l *Listener) prove(k *link) {
	if !k.stage.CompareAndSwap(int32(unproven), int32(handshaking)) {
		return
	}
	k.owned.Store(true)
	k.budget.Store(handshakeBudget)
	l.take(k)
	l.put(k, &l.handshaking, l.config.MaxHandshakes)
}

// establish notes that a handshake is done. It tells whether the link still stands; a session that the client had from
// the same address is over.
func (l *Listener) establish(k *link) bool {
	if !k.stage.CompareAndSwap(int32(handshaking), int32(established)) {
		return false
	}
	k.budget.Store(afterwards)
	peer := k.remote()
	l.mu.Lock()
	old := l.sessions[peer]
	l.sessions[peer] = k
	if l.beginnings[peer] == k {
		delete(l.beginnings, peer)
	}
	l.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	l.take(k)
	l.put(k, &l.established, l.config.MaxSessions)
	return k.at() == established
}

// identify finds an unused connection ID.
func (l *Listener) identify(k *link) (id connectionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, _ = rand.Read(id[:]) // never fails
		if _, used := l.byID[id]; !used && id != (connectionID{}) {
			l.byID[id] = k
			return id
		}
	}
}

// release gives back a connection ID that no client was told of.
func (l *Listener) release(id connectionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, id)
}

// move notes that a client with a connection ID has another address now. The old one may be somebody else's by now.
func (l *Listener) move(k *link, old datagram.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions[old] == k {
		delete(l.sessions, old)
	}
	l.metrics.move()
}

// forget takes a closed link out of every table.
func (l *Listener) forget(k *link) {
	k.mu.Lock()
	peer, id := k.peer.(datagram.Peer), k.id //nolint:forcetypeassert // see newLink
	k.mu.Unlock()
	l.mu.Lock()
	for _, table := range []map[datagram.Peer]*link{l.sessions, l.beginnings} {
		if table[peer] == k {
			delete(table, peer)
		}
	}
	if id != nil {
		delete(l.byID, *id)
	}
	l.mu.Unlock()
	l.take(k)
}

// sweep ends idle sessions.
func (l *Listener) sweep() {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			for _, k := range l.established.Expired(time.Now().Add(-l.config.IdleTimeout)) {
				l.metrics.displaced(established)
				k.end()
			}
		}
	}
}
