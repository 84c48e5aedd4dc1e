package mqtt

import (
	"net"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

// A Conn is the connection of one client. Its methods may be called from any goroutine.
//
// One goroutine reads, and calls the session. A second one exists only while something is being written. What both share,
// and what the answers of the session change, is under mu.
type Conn struct {
	server  *Server
	link    net.Conn
	session Session // nil until the client is admitted

	version   packet.Version
	unnamed   bool   // the client has no identifier of its own
	explains  bool   // the client wants reason strings
	mayExpire bool   // a DISCONNECT may have a session expiry, as CONNECT had one
	largest   uint32 // packet that the client takes, in bytes; 0 is no limit

	in           input
	aliases      aliases
	silenceLimit time.Duration // without a packet, after which the client counts as gone
	armed        time.Time     // when the read deadline was set
	heard        bool          // a packet has come since

	mu       sync.Mutex
	changed  sync.Cond // flights, out or the fields below have changed; only the goroutine that reads waits
	flights  flights
	sends    sends
	out      output
	ended    *ending // nil while the connection lives; the first one counts
	draining bool    // nothing more is to be read
	broken   bool    // nothing can be written
}

func newConn(s *Server, link net.Conn) *Conn {
	c := &Conn{server: s, link: link, explains: true}
	c.changed.L = &c.mu
	c.in.init(link, s.buffers)
	return c
}

// Version is what the client speaks: packet.V311 or packet.V5.
func (c *Conn) Version() packet.Version { return c.version }

// Unnamed tells whether the client sent no identifier, so that the one in CONNECT was made for it.
func (c *Conn) Unnamed() bool { return c.unnamed }

// Remote is the address of the client without its port, as the PROXY protocol gives it if that is in use.
func (c *Conn) Remote() string { return remoteOf(c.link) }

func remoteOf(link net.Conn) string {
	address := link.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// TLS is what the client has proven in its TLS handshake: nothing without TLS.
func (c *Conn) TLS() tlspsk.State {
	state, _ := tlspsk.StateOf(c.link)
	return state
}

// Deliver sends a message of QoS 0 to the client: topic, payload, subscription identifiers, content type. It copies what it
// needs and never blocks: the messages that wait for a slow client are bounded, and the oldest gives way. A message that is
// larger than what the client takes is dropped, as is one that comes after the end. It tells whether the message was taken.
func (c *Conn) Deliver(p *packet.Publish) (taken bool) { return c.deliver(p) }

// Disconnect ends the connection; a client of version 5 is told why, with a reason string that may be "". It does not
// wait. The first call counts.
func (c *Conn) Disconnect(r packet.Reason, text string) {
	c.end(&ending{End: End{Reason: r}, text: text})
}

// end ends the connection, unless it has ended before.
func (c *Conn) end(e *ending) {
	c.mu.Lock()
	c.endLocked(e)
	c.release()
}

// endLocked says the last word and calls the goroutine that reads away from the link. c.mu is held.
func (c *Conn) endLocked(e *ending) {
	if c.ended != nil {
		return
	}
	c.ended = e
	c.sends.tell()
	c.dropDeliveries()
	if c.out.open {
		c.lastWord()
	}
	c.interrupt()
}

// lastWord tells the client why the connection ends, if its protocol has words for that. c.mu is held.
func (c *Conn) lastWord() {
	if !c.ended.quiet && c.version == packet.V5 {
		c.say(c.ended.text, func(b []byte, text string) []byte {
			return (&packet.Disconnect{Reason: c.ended.Reason, ReasonString: text}).Append(b, c.version)
		})
	}
	c.out.sealed = true
}

// interrupt wakes the goroutine that reads, wherever it waits. c.mu is held.
func (c *Conn) interrupt() {
	_ = c.link.SetReadDeadline(time.Unix(1, 0)) // a link that cannot do that is broken, and wakes it too
	c.changed.Signal()
}

// drain lets the connection read nothing more, and end when everything is answered.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	c.interrupt()
}

// abort ends the connection without waiting for anything.
func (c *Conn) abort() {
	c.end(&ending{End: End{Reason: packet.ServerShuttingDown}, quiet: true})
	_ = c.link.Close()
}
