package mqtt

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/refusal"
)

// connectionClosed is the answer where the protocol has no words.
const connectionClosed = "connection closed"

// A Broken is a client that broke the protocol or met a bound of it, which no Handler has judged.
type Broken struct {
	Remote  string  // address of the client, without its port
	Session Session // nil before the client is admitted
	Where   string  // "TLS handshake", "CONNECT", or after it "PUBLISH topic" or "connection"
	Reason  packet.Reason
	Text    string // may be ""
	Answer  string // what the client was told: "CONNACK 0x84"

	Handshake *psk.Failure // of a TLS handshake whose client may have had a pre-shared key; nil otherwise
}

// Report is what the operator is told of it. Who an admitted client is, the gateway knows.
func (b Broken) Report() refusal.Report {
	return refusal.Report{
		Protocol: refusal.MQTT, Where: b.Where, Remote: b.Remote, Outcome: OutcomeOf(b.Reason), Answer: b.Answer,
		Reason: cmp.Or(b.Text, b.Reason.String()),
	}
}

// OutcomeOf is the outcome that a reason of the connection itself comes closest to.
func OutcomeOf(r packet.Reason) outcome.Outcome {
	switch r {
	case packet.PacketTooLarge:
		return outcome.TooLarge
	case packet.ServerBusy, packet.ServerUnavailable, packet.QuotaExceeded, packet.ConnectionRateExceeded:
		return outcome.Overloaded
	default:
		return outcome.Invalid
	}
}

// OnBroken has a function told of clients that break the protocol. It must return soon, and is for before the first
// connection.
func (s *Server) OnBroken(f func(Broken)) { s.onBroken = f }

// tellBroken tells of a client whose CONNECT is refused before the handler is asked.
func (c *Conn) tellBroken(r *Refusal) {
	c.tell(Broken{Where: "CONNECT", Reason: r.Reason, Text: r.Text, Answer: c.connack(r)})
}

func (c *Conn) tell(b Broken) {
	b.Remote = c.Remote()
	c.server.tell(b)
}

func (s *Server) tell(b Broken) {
	if s.onBroken != nil {
		s.onBroken(b)
	}
}

// brokenHandshake is a client whose TLS handshake did not succeed.
func brokenHandshake(err error) Broken {
	failure, _ := errors.AsType[*psk.Failure](err)
	return Broken{Where: "TLS handshake", Reason: packet.ProtocolError, Text: err.Error(), Answer: connectionClosed, Handshake: failure}
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
		return connectionClosed
	}
}

// broke tells of an admitted client that sent what it must not.
func (c *Conn) broke(err error) {
	e := endingOf(err)
	if e.quiet {
		return
	}
	c.tell(Broken{Session: c.session, Where: "connection", Reason: e.Reason, Text: e.text, Answer: DisconnectText(c.version, e.Reason)})
}

// DisconnectText says how a client is told that its connection ends: "DISCONNECT 0x98".
func DisconnectText(v packet.Version, r packet.Reason) string {
	if v == packet.V5 {
		return fmt.Sprintf("DISCONNECT 0x%02x", byte(r))
	}
	return connectionClosed
}

// PublishText says how a message that is refused is answered: "PUBACK 0x87". See Answer.
func (c *Config) PublishText(v packet.Version, qos byte, a Answer) string {
	switch {
	case qos == 0:
		return "no answer"
	case v == packet.V5:
		return fmt.Sprintf("PUBACK 0x%02x", byte(a.Reason))
	case !a.Final || c.CloseOnRefusal:
		return connectionClosed
	default:
		return "PUBACK, not stored"
	}
}

// SubscribeText says how a subscription that is refused is answered: "SUBACK 0x8f".
func SubscribeText(v packet.Version, r packet.Reason) string {
	if v != packet.V5 {
		r = packet.UnspecifiedError // the only one that version 3.1.1 has
	}
	return fmt.Sprintf("SUBACK 0x%02x", byte(r))
}
