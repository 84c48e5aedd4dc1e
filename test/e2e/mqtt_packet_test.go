//go:build integration

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// A greeting is what a client says in CONNECT. It is written, and its answer is read, with the codecs of Eclipse Paho, which let a test say
// what their clients would not.
type greeting struct {
	user, password string // "" leaves it out
	id             string
	keep           bool // asks for a session that outlives the connection
	willTopic      string
	will           []byte
	willQoS        byte
	method         string // of extended authentication; version 5 only
}

// closed stands for an answer that did not come before the connection was closed.
const closed = -1

// A reply is what the gateway answers to CONNECT.
type reply struct {
	code    int // reason code, return code, or closed
	text    string
	present bool    // a stored session
	expiry  *uint32 // of the session
}

// say311 sends CONNECT in version 3.1.1 and reads the answer. That there is none, and the connection stays open, is an error.
func (g greeting) say311(link net.Conn) (reply, error) {
	p := packets3.NewControlPacket(packets3.Connect).(*packets3.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.Keepalive = "MQTT", 4, 30
	p.ClientIdentifier, p.CleanSession = g.id, !g.keep
	p.UsernameFlag, p.Username = g.user != "", g.user
	p.PasswordFlag, p.Password = g.password != "", []byte(g.password)
	p.WillFlag, p.WillTopic, p.WillMessage, p.WillQos = g.willTopic != "", g.willTopic, g.will, g.willQoS
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return reply{}, err
	}
	if err := send(link, b.Bytes()); err != nil {
		return reply{}, err
	}
	answer, err := packets3.ReadPacket(link)
	if err != nil {
		return end(err)
	}
	connack, ok := answer.(*packets3.ConnackPacket)
	if !ok {
		return reply{}, fmt.Errorf("CONNECT is answered with %v", answer)
	}
	return reply{code: int(connack.ReturnCode), present: connack.SessionPresent}, nil
}

// say5 is say311 for version 5.
func (g greeting) say5(link net.Conn) (reply, error) {
	p := packets5.NewControlPacket(packets5.CONNECT)
	c := p.Content.(*packets5.Connect)
	c.ClientID, c.CleanStart, c.KeepAlive = g.id, !g.keep, 30
	c.UsernameFlag, c.Username = g.user != "", g.user
	c.PasswordFlag, c.Password = g.password != "", []byte(g.password)
	c.WillFlag, c.WillTopic, c.WillMessage, c.WillQOS = g.willTopic != "", g.willTopic, g.will, g.willQoS
	c.WillProperties = &packets5.Properties{}
	c.Properties.AuthMethod = g.method
	if g.keep {
		expiry := uint32(3600)
		c.Properties.SessionExpiryInterval = &expiry
	}
	var b bytes.Buffer
	if _, err := p.WriteTo(&b); err != nil {
		return reply{}, err
	}
	if err := send(link, b.Bytes()); err != nil {
		return reply{}, err
	}
	answer, err := packets5.ReadPacket(link)
	if err != nil {
		return end(err)
	}
	connack, ok := answer.Content.(*packets5.Connack)
	if !ok {
		return reply{}, fmt.Errorf("CONNECT is answered with %v", answer)
	}
	return reply{int(connack.ReasonCode), connack.Properties.ReasonString, connack.SessionPresent, connack.Properties.SessionExpiryInterval}, nil
}

// send sends bytes, and bounds the wait for what comes next.
func send(link net.Conn, b []byte) error {
	if err := link.SetDeadline(time.Now().Add(waitLimit)); err != nil {
		return err
	}
	_, err := link.Write(b)
	return err
}

// end is the reply of a connection that ended.
func end(err error) (reply, error) {
	if isTimeout(err) {
		return reply{}, fmt.Errorf("there is no answer, and the connection stays open: %w", err)
	}
	return reply{code: closed}, nil
}

// A talk is what a client says in one of the versions.
type talk func(greeting, net.Conn) (reply, error)

// answer opens a connection over TCP, has a client say something, and returns the answer.
func (g *mqttGateway) answer(t *testing.T, say greeting, in talk) (reply, net.Conn) {
	t.Helper()
	link := plain(t, g)
	got, err := in(say, link)
	if err != nil {
		t.Fatal(err)
	}
	return got, link
}

// expectClosed reads until the gateway has closed the connection.
func expectClosed(t *testing.T, what string, link net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, link); err != nil && isTimeout(err) {
		t.Errorf("%s: the connection stays open", what)
	}
}

// plain opens a connection over TCP.
func plain(t *testing.T, g *mqttGateway) net.Conn {
	t.Helper()
	link, err := net.Dial("tcp", g.tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close() })
	return link
}
