package bridge

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// waitLimit bounds the wait for what happens at once unless it is broken. In a bubble of synctest it takes no time.
const waitLimit = time.Minute

// A broker is the other end of the bridge's connections, which a test plays by hand.
type broker struct {
	t           *testing.T
	connections chan net.Conn
}

func newBroker(t *testing.T) *broker { return &broker{t: t, connections: make(chan net.Conn)} }

// A link is one connection. What the bridge sends on it is kept until it is asked for, pings are answered.
type link struct {
	t        *testing.T
	conn     net.Conn
	connect  *packets.Connect
	received chan *packets.ControlPacket
}

// accept waits for a connection with its CONNECT.
func (b *broker) accept() *link {
	b.t.Helper()
	select {
	case c := <-b.connections:
		return newLink(b.t, c)
	case <-time.After(waitLimit):
		b.t.Fatal("the bridge does not connect")
		return nil
	}
}

func newLink(t *testing.T, c net.Conn) *link {
	l := &link{t: t, conn: &turns{Conn: c, turn: make(chan struct{}, 1)}, received: make(chan *packets.ControlPacket, 100_000)}
	t.Cleanup(l.cut)
	go l.read()
	l.connect = expect[*packets.Connect](l)
	return l
}

func (l *link) read() {
	defer close(l.received)
	for {
		p, err := packets.ReadPacket(l.conn)
		if err != nil {
			return
		}
		if p.Type == packets.PINGREQ {
			l.send(packets.NewControlPacket(packets.PINGRESP).Content)
			continue
		}
		l.received <- p
	}
}

// send ignores that the bridge may have gone.
func (l *link) send(p packets.Packet) { _, _ = p.WriteTo(l.conn) }

// cut ends the connection without a word.
func (l *link) cut() { _ = l.conn.Close() }

// expect waits for the next packet, which must be of a type.
func expect[P packets.Packet](l *link) P {
	l.t.Helper()
	var none P
	select {
	case p, ok := <-l.received:
		if !ok {
			l.t.Fatalf("the connection has ended, want %T", none)
		}
		content, ok := p.Content.(P)
		if !ok {
			l.t.Fatalf("received %v, want %T", p, none)
		}
		return content
	case <-time.After(waitLimit):
		l.t.Fatalf("nothing is received, want %T", none)
		return none
	}
}

// ended waits until the bridge has closed the connection.
func (l *link) ended() {
	l.t.Helper()
	for {
		select {
		case _, ok := <-l.received:
			if !ok {
				return
			}
		case <-time.After(waitLimit):
			l.t.Fatal("the connection lives on")
		}
	}
}

// welcome admits the bridge and grants what it subscribes to.
func (l *link) welcome(sessionPresent bool) *packets.Subscribe {
	l.t.Helper()
	l.send(&packets.Connack{SessionPresent: sessionPresent, Properties: &packets.Properties{}})
	return l.grant()
}

func (l *link) grant() *packets.Subscribe {
	l.t.Helper()
	s := expect[*packets.Subscribe](l)
	l.answer(s, 1)
	return s
}

// answer gives every filter of a SUBSCRIBE the same reason code.
func (l *link) answer(s *packets.Subscribe, reason byte) {
	l.send(&packets.Suback{PacketID: s.PacketID, Reasons: slices.Repeat([]byte{reason}, len(s.Subscriptions)), Properties: &packets.Properties{}})
}

// publish sends a message of QoS 1, or of QoS 0 if id is 0.
func (l *link) publish(id uint16, topic, payload string) {
	l.send(publication(id, topic, payload))
}

// again sends a message once more.
func (l *link) again(id uint16, topic, payload string) {
	p := publication(id, topic, payload)
	p.Duplicate = true
	l.send(p)
}

func publication(id uint16, topic, payload string) *packets.Publish {
	return &packets.Publish{PacketID: id, QoS: min(1, byte(min(id, 1))), Topic: topic, Payload: []byte(payload), Properties: &packets.Properties{}}
}

// acknowledged waits for the acknowledgements of messages, in this order.
func (l *link) acknowledged(ids ...uint16) {
	l.t.Helper()
	for _, id := range ids {
		if got := expect[*packets.Puback](l); got.PacketID != id || got.ReasonCode != 0 {
			l.t.Fatalf("acknowledged %d with reason %#x, want %d", got.PacketID, got.ReasonCode, id)
		}
	}
}

// silent checks that nothing was received.
func (l *link) silent() {
	l.t.Helper()
	select {
	case p, ok := <-l.received:
		if ok {
			l.t.Fatalf("received %v, want nothing", p)
		}
	default:
	}
}

// turns lets one packet after the other be written. Unlike a mutex, it lets a bubble's time go by for who waits.
type turns struct {
	net.Conn
	turn chan struct{}
}

func (t *turns) Lock()   { t.turn <- struct{}{} }
func (t *turns) Unlock() { <-t.turn }

var errUnreachable = errors.New("nobody listens")
