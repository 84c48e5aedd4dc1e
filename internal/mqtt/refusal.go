package mqtt

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A Broken is a client that broke the protocol or met a bound of it, which no Handler has judged.
type Broken struct {
	Conn    *Conn
	Session Session // nil before the client is admitted
	Where   string  // "CONNECT", or "connection" after it
	Reason  packet.Reason
	Text    string // may be ""
	Answer  string // what the client was told: "CONNACK 0x84"
}

// OnBroken has a function told of clients that break the protocol. It must return soon, and is for before the first
// connection.
func (s *Server) OnBroken(f func(Broken)) { s.onBroken = f }

// tellBroken tells of a client whose CONNECT is refused before the handler is asked.
func (c *Conn) tellBroken(r *Refusal) {
	c.tell(Broken{Where: "CONNECT", Reason: r.Reason, Text: r.Text, Answer: c.connack(r)})
}

func (c *Conn) tell(b Broken) {
	if c.server.onBroken != nil {
		b.Conn = c
		c.server.onBroken(b)
	}
}

// AnswerOf says how an error of Handler.Connect is told to the client.
func (c *Conn) AnswerOf(err error) string { return c.connack(refusalOf(err)) }

// connack says how a CONNECT is refused; see refuse.
func (c *Conn) connack(r *Refusal) string {
	switch {
	case c.version == packet.V5:
		return fmt.Sprintf("CONNACK 0x%02x", byte(r.Reason))
	case r.Return != 0 && c.version != 0:
		return fmt.Sprintf("CONNACK %d", r.Return)
	default:
		return "connection closed"
	}
}

// broke tells of an admitted client that sent what it must not.
func (c *Conn) broke(err error) {
	e := endingOf(err)
	if e.quiet {
		return
	}
	answer := "connection closed"
	if c.version == packet.V5 {
		answer = fmt.Sprintf("DISCONNECT 0x%02x", byte(e.Reason))
	}
	c.tell(Broken{Session: c.session, Where: "connection", Reason: e.Reason, Text: e.text, Answer: answer})
}
