package bridge

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"io"
	"sync"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
)

// staleAfter is the number of connections after which a message that did not come again is not expected any more.
const staleAfter = 8

// A ledger knows the messages of QoS 1 that the broker was not told to be stored yet, by packet identifier.
//
// When a connection breaks, the broker sends those again on the next one, with the same identifiers and marked as
// duplicates (MQTT 5.0 section 4.4). What is in the ledger is then not taken as a new message: only the way to
// acknowledge it is new. A message leaves the ledger when its acknowledgement begins to be written, since from then on the
// broker may use its identifier for another one.
type ledger struct {
	seed maphash.Seed

	mu         sync.Mutex
	receipts   map[uint16]*receipt
	connection int           // number of the connection, from 1
	received   int           // number of the latest message
	over       chan struct{} // closed when the connection is lost
	writing    int           // acknowledgements that are being written
	written    chan struct{} // has an element after one was
}

// A receipt is the entry of one message.
type receipt struct {
	print       uint64 // hash of what the broker sent
	number      int    // order of arrival
	connection  int    // on which it came last
	acknowledge func() // on that connection
	decided     bool
}

func newLedger() *ledger {
	over := make(chan struct{})
	close(over)
	return &ledger{seed: maphash.MakeSeed(), receipts: map[uint16]*receipt{}, over: over, written: make(chan struct{}, 1)}
}

// receive enters a message, or finds that it is known: then it is not to be taken again.
func (l *ledger) receive(p *paho.Publish, acknowledge func()) (r *receipt, known bool) {
	print := l.print(p)
	l.mu.Lock()
	l.received++
	r = l.receipts[p.PacketID]
	if r == nil || !p.Duplicate() || r.print != print || r.connection == l.connection {
		r = &receipt{print: print, number: l.received, connection: l.connection, acknowledge: acknowledge}
		l.receipts[p.PacketID] = r
		l.mu.Unlock()
		return r, false
	}
	r.number, r.connection, r.acknowledge = l.received, l.connection, acknowledge
	decided := r.decided
	l.mu.Unlock()
	if decided {
		acknowledge()
	}
	return r, true
}

// print tells messages apart.
func (l *ledger) print(p *paho.Publish) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	texts := []string{p.Topic}
	if p.Properties != nil {
		texts = append(texts, p.Properties.ContentType)
		for _, u := range p.Properties.User {
			texts = append(texts, u.Key, u.Value)
		}
	}
	for _, text := range texts {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		_, _ = h.Write(length[:])
		_, _ = h.WriteString(text)
	}
	_, _ = h.Write(p.Payload)
	return h.Sum64()
}

// decide acknowledges a message on the connection on which it came last. If that is lost, it is acknowledged when it comes
// again.
func (l *ledger) decide(r *receipt) {
	l.mu.Lock()
	r.decided = true
	acknowledge := r.acknowledge
	l.mu.Unlock()
	acknowledge()
}

// forget takes back that a message was received.
func (l *ledger) forget(p *paho.Publish, r *receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.receipts[p.PacketID] == r {
		delete(l.receipts, p.PacketID)
	}
}

// connected begins a connection. If the broker has no session, its identifiers mean nothing.
func (l *ledger) connected(sessionPresent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.receipts {
		if !sessionPresent || r.connection <= l.connection-staleAfter {
			delete(l.receipts, id)
		}
	}
	l.connection++
	l.over = make(chan struct{})
}

// lost ends a connection.
func (l *ledger) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !closed(l.over) {
		close(l.over)
	}
}

// end is closed when the present connection is lost.
func (l *ledger) end() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// acknowledging says that an acknowledgement begins to be written.
func (l *ledger) acknowledging(id uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing++
	if !closed(l.over) {
		delete(l.receipts, id)
	}
}

// acknowledged says that it was written.
func (l *ledger) acknowledged() {
	l.mu.Lock()
	l.writing--
	l.mu.Unlock()
	select {
	case l.written <- struct{}{}:
	default:
	}
}

// flush waits until every acknowledgement is written that can be, or until the connection or ctx ends.
func (l *ledger) flush(ctx context.Context) {
	end := l.end()
	for !closed(end) && l.owes() {
		select {
		case <-l.written:
		case <-end:
		case <-ctx.Done():
			return
		}
	}
}

// owes tells whether the client has acknowledgements to write: those of decided messages before the first that is not.
func (l *ledger) owes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	undecided := l.received + 1
	for _, r := range l.receipts {
		if r.connection == l.connection && !r.decided {
			undecided = min(undecided, r.number)
		}
	}
	for _, r := range l.receipts {
		if r.connection == l.connection && r.number < undecided {
			return true
		}
	}
	return l.writing > 0
}

// closed tells whether a channel that nothing is sent to is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A sessionManager is the client's session, which tells the ledger about connections and acknowledgements.
type sessionManager struct {
	session.SessionManager
	ledger *ledger
}

// ConAckReceived is called before the first message of a connection is read.
func (s *sessionManager) ConAckReceived(w io.Writer, connect *packets.Connect, connack *packets.Connack) error {
	if err := s.SessionManager.ConAckReceived(w, connect, connack); err != nil {
		return err
	}
	s.ledger.connected(connack.SessionPresent)
	return nil
}

// ConnectionLost is called once or more, before the client waits for what it is doing.
func (s *sessionManager) ConnectionLost(d *packets.Disconnect) error {
	s.ledger.lost()
	return s.SessionManager.ConnectionLost(d)
}

// Ack writes an acknowledgement.
func (s *sessionManager) Ack(p *packets.Publish) error {
	s.ledger.acknowledging(p.PacketID)
	defer s.ledger.acknowledged()
	return s.SessionManager.Ack(p)
}
