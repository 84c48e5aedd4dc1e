package mqtt

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// Return codes of CONNACK in version 3.1.1 (its section 3.2.2.3).
const (
	protocolUnacceptable byte = 1
	identifierRejected   byte = 2
	serverUnavailable    byte = 3
)

// greet takes a connection to its CONNACK. It runs on a goroutine of its own, whose stack grows with what the handler does;
// an admitted connection lives on another.
func (s *Server) greet(c *Conn) {
	defer s.limits.connectReceived()
	if c.connect() {
		go c.serve()
		return
	}
	s.recoverPanics(c.closeGracefully)
	s.forget(c)
}

// connect tells whether the client is admitted. If it is not, the connection has ended. Either way the password is forgotten.
func (c *Conn) connect() (admitted bool) {
	defer c.in.forget()
	defer func() {
		if p := recover(); p != nil {
			c.server.panicked(p)
			c.refuse(&Refusal{Reason: packet.UnspecifiedError, Return: serverUnavailable})
			admitted = false
		}
	}()
	ctx, cancel := context.WithTimeout(c.server.life, c.server.config.ConnectTimeout)
	defer cancel()
	if err := c.open(ctx); err != nil {
		c.server.metrics.connected(noHandshake)
		if _, secured := c.link.(interface{ HandshakeContext(context.Context) error }); secured && ctx.Err() == nil {
			c.tell(brokenHandshake(err))
		}
		c.end(lost())
		return false
	}
	connect, err := c.introduction()
	if err != nil {
		c.reject(err)
		return false
	}
	return c.admit(ctx, connect)
}

// open gives the client until the deadline of ctx for its CONNECT, and performs the TLS handshake.
func (c *Conn) open(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	if err := c.allow(deadline); err != nil {
		return err
	}
	if secured, ok := c.link.(interface{ HandshakeContext(context.Context) error }); ok {
		return secured.HandshakeContext(ctx)
	}
	return nil
}

// allow lets the link be read until the deadline, unless the connection has been interrupted.
func (c *Conn) allow(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended != nil:
		return c.ended
	case c.draining:
		return errDraining
	}
	return c.link.SetReadDeadline(deadline)
}

var (
	errDraining  = errors.New("the server is shutting down")
	errNoSession = errors.New("the handler returned neither a session nor an error")
)

// introduction reads and decodes the CONNECT.
func (c *Conn) introduction() (*packet.Connect, error) {
	for {
		h, body, ok, err := c.in.next(c.server.config.MaxConnectPacket)
		switch {
		case err != nil:
			c.version = answerVersion(c.in.buf[c.in.start:c.in.end])
			return nil, err
		case !ok:
			if err := c.in.fill(); err != nil {
				return nil, err
			}
		case h.Type != packet.CONNECT:
			return nil, &packet.Error{Reason: packet.ProtocolError, What: "the first packet is not CONNECT"}
		default:
			return c.decode(body)
		}
	}
}

func (c *Conn) decode(body []byte) (*packet.Connect, error) {
	c.server.metrics.packets[packet.CONNECT].Add(1)
	var p packet.Connect
	err := p.Decode(body)
	c.version = p.Version
	if p.Version == 0 {
		c.version = answerVersionOfBody(body)
	}
	c.explains, c.largest = err != nil || p.RequestProblem, p.MaximumPacketSize
	return &p, err
}

// reject ends a connection that has no proper CONNECT, in the words of its version as far as that is known and has some
// (version 3.1.1, section 3.1.4: no CONNACK but for an unacceptable version).
func (c *Conn) reject(err error) {
	var broken *packet.Error
	if !errors.As(err, &broken) {
		c.server.metrics.connected(noConnect)
		c.end(lost())
		return
	}
	c.server.metrics.malformed(err)
	r := &Refusal{Reason: broken.Reason, Text: broken.What}
	if broken.Reason == packet.UnsupportedProtocolVersion {
		r.Return = protocolUnacceptable
	}
	c.tellBroken(r)
	c.refuse(r)
}

// admit judges a CONNECT and answers it.
func (c *Conn) admit(ctx context.Context, p *packet.Connect) bool {
	connack, r := c.agree(p)
	if r == nil {
		r = c.server.limits.beginLogin()
	}
	if r != nil {
		c.tellBroken(r)
		c.refuse(r)
		return false
	}
	session, err := c.judge(ctx, p)
	if err != nil {
		c.server.logFault(err)
		c.refuse(refusalOf(err))
		return false
	}
	c.session = session
	c.server.metrics.connected(accepted)
	c.mu.Lock()
	defer c.release()
	c.out.open = true
	c.say("", func(b []byte, _ string) []byte { return connack.Append(b, c.version) })
	if c.ended != nil { // the handler has disconnected the client in the meantime
		c.lastWord()
	}
	return true
}

// judge asks the handler, when it is the client's turn.
func (c *Conn) judge(ctx context.Context, p *packet.Connect) (session Session, err error) {
	admitted := false
	defer func() { c.server.limits.endLogin(admitted) }() // also if the handler panics
	if err := c.server.limits.turns.Wait(ctx); err != nil {
		return nil, &Refusal{packet.ServerBusy, serverUnavailable, "too many log-ins are being checked; try again later"}
	}
	session, err = c.server.handler.Connect(ctx, c, p)
	if err == nil && session == nil {
		err = errNoSession
	}
	admitted = err == nil
	return session, err
}

// demand is what the protocol demands of a CONNECT and the packet alone does not show.
func (c *Conn) demand(p *packet.Connect) *Refusal {
	switch {
	case p.Version == packet.V31:
		return &Refusal{packet.UnsupportedProtocolVersion, protocolUnacceptable, ""}
	case p.Version == packet.V311 && p.ClientID == "" && !p.CleanStart:
		return &Refusal{packet.ClientIDNotValid, identifierRejected, ""}
	case p.HasAuthenticationMethod:
		return &Refusal{packet.BadAuthenticationMethod, 0, "the server supports no extended authentication"}
	case p.Version == packet.V5 && p.Will != nil && p.Will.QoS > 1:
		return &Refusal{packet.QoSNotSupported, 0, "the server supports no QoS above 1"}
	}
	return nil
}

// agree settles the terms of the connection, and returns the CONNACK that tells them, or says why there is no agreement. A
// client that asks for a session that outlives the connection is told that it has none.
func (c *Conn) agree(p *packet.Connect) (*packet.Connack, *Refusal) {
	if r := c.demand(p); r != nil {
		return nil, r
	}
	config := &c.server.config
	keepAlive := config.keepAlive(p)
	c.silenceLimit = time.Duration(keepAlive) * time.Second * 3 / 2
	c.mayExpire = p.SessionExpiry != 0
	c.sends.window = min(int(p.ReceiveMaximum), maxUnacknowledged)
	connack := &packet.Connack{
		MaximumQoS:         1,
		ReceiveMaximum:     uint16(config.ReceiveMaximum),
		MaximumPacketSize:  uint32(config.MaxPacket),
		TopicAliasMaximum:  uint16(config.TopicAliasMaximum),
		RetainUnavailable:  true,
		SharedUnavailable:  !c.server.shared,
		HasSessionExpiry:   p.SessionExpiry != 0,
		HasServerKeepAlive: keepAlive != p.KeepAlive,
		ServerKeepAlive:    keepAlive,
	}
	if p.ClientID == "" {
		p.ClientID = "fairlead-" + rand.Text()
		connack.AssignedClientID, c.unnamed = p.ClientID, true
	}
	if c.largest > 0 && c.exceeds(len(connack.Append(nil, c.version))) {
		return nil, &Refusal{Reason: packet.PacketTooLarge} // it could not be told the terms
	}
	return connack, nil
}

// refuse answers a CONNECT with what is wrong, and ends the connection.
func (c *Conn) refuse(r *Refusal) {
	c.server.metrics.connected(r.Reason.String())
	c.mu.Lock()
	defer c.release()
	if c.ended == nil {
		c.ended = &ending{End: End{Reason: r.Reason}}
	}
	c.dropDeliveries()
	c.out.open = true
	if c.version == packet.V5 || r.Return != 0 && c.version != 0 {
		c.say(r.Text, func(b []byte, text string) []byte {
			return (&packet.Connack{Reason: r.Reason, Return: r.Return, MaximumQoS: 2, ReasonString: text}).Append(b, c.version)
		})
	}
	c.out.sealed = true
}

// refusalOf turns an error of the handler into what the client is told.
func refusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	result := outcome.ResultOf(err)
	return &Refusal{
		Reason: packet.Reason(result.Outcome.Connack5()),
		Return: result.Outcome.Connack3(),
		Text:   cmp.Or(result.Reason, explanation(result.Outcome)),
	}
}

// explanation is the reason string of a refusal for which nobody has given a reason. It is the same for every log-in that is
// not accepted.
func explanation(o outcome.Outcome) string {
	switch o {
	case outcome.Unauthenticated:
		return "the log-in is not accepted"
	case outcome.Overloaded:
		return "too much is under way; try again later"
	case outcome.Unavailable:
		return "nobody can judge the log-in now; try again later"
	default:
		return "the server could not admit the client"
	}
}
