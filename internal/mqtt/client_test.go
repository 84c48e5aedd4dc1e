package mqtt

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// frame makes a packet of its first byte and the parts of its body.
func frame(first byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	b := binary.AppendUvarint([]byte{first}, uint64(len(body)))
	return append(b, body...)
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func number(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// properties puts their length before properties.
func properties(parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

// property makes a property of its identifier and value.
func property(id byte, value ...byte) []byte { return append([]byte{id}, value...) }

// A hello is what a CONNECT of a test says.
type hello struct {
	version    packet.Version
	flags      byte // clean start is 2
	keepAlive  uint16
	properties [][]byte
	id         string
	rest       [][]byte // will, user name, password
}

func (h hello) bytes() []byte {
	body := slices.Concat(text("MQTT"), []byte{byte(h.version), h.flags}, number(h.keepAlive))
	if h.version == packet.V5 {
		body = append(body, properties(h.properties...)...)
	}
	return frame(0x10, body, text(h.id), slices.Concat(h.rest...))
}

// publication makes a PUBLISH; id 0 is QoS 0.
func publication(v packet.Version, id uint16, topic, payload string, ps ...[]byte) []byte {
	parts := [][]byte{text(topic)}
	first := byte(0x30)
	if id != 0 {
		first, parts = 0x32, append(parts, number(id))
	}
	if v == packet.V5 {
		parts = append(parts, properties(ps...))
	}
	return frame(first, append(parts, []byte(payload))...)
}

// A client is a scripted client.
type client struct {
	tb      testing.TB
	version packet.Version
	link    net.Conn
	in      *bufio.Reader
}

func newClient(tb testing.TB, v packet.Version, link net.Conn) *client {
	return &client{tb: tb, version: v, link: link, in: bufio.NewReader(link)}
}

// dial connects over TCP and is admitted.
func dial(tb testing.TB, address net.Addr, v packet.Version) *client {
	tb.Helper()
	link, err := net.Dial("tcp", address.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = link.Close() })
	c := newClient(tb, v, link)
	c.login()
	return c
}

// login connects and expects to be admitted.
func (c *client) login() {
	c.tb.Helper()
	c.send(hello{version: c.version, flags: 2, id: "device"}.bytes())
	if got := c.receive(); got[0] != 0x20 || got[len(got)-len(c.rest(got))+1] != 0 {
		c.tb.Fatalf("CONNECT was answered with % x", got)
	}
}

// rest is a packet without its fixed header.
func (c *client) rest(p []byte) []byte {
	_, n := binary.Uvarint(p[1:])
	return p[1+n:]
}

func (c *client) send(parts ...[]byte) {
	c.tb.Helper()
	if _, err := c.link.Write(slices.Concat(parts...)); err != nil {
		c.tb.Fatalf("sending: %v", err)
	}
}

// receive reads the next packet.
func (c *client) receive() []byte {
	c.tb.Helper()
	p, err := c.next()
	if err != nil {
		c.tb.Fatalf("waiting for a packet: %v", err)
	}
	return p
}

func (c *client) next() ([]byte, error) {
	first, err := c.in.ReadByte()
	if err != nil {
		return nil, err
	}
	var length bytes.Buffer
	n, err := binary.ReadUvarint(byteReader{io.TeeReader(c.in, &length)})
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	return slices.Concat([]byte{first}, length.Bytes(), body), nil
}

type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// expect reads packets and compares them.
func (c *client) expect(want ...[]byte) {
	c.tb.Helper()
	for _, w := range want {
		if got := c.receive(); !bytes.Equal(got, w) {
			c.tb.Fatalf("got % x, want % x", got, w)
		}
	}
}

// expectEnd waits until the server closes the connection, and expects nothing before that.
func (c *client) expectEnd() {
	c.tb.Helper()
	if p, err := c.next(); err == nil {
		c.tb.Fatalf("got % x, want the end of the connection", p)
	}
}
