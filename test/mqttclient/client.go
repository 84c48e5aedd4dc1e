package mqttclient

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Types of packets, as the first byte without the flags (section 2.2).
const (
	Publish = 0x30
	Puback  = 0x40

	connack = 0x20
	suback  = 0x90
)

// First bytes of packets.
const (
	connect   = 0x10
	publish   = 0x32 // of QoS 1
	subscribe = 0x82
)

// connectLimit bounds connecting and logging in, a password hash and a queue of others before it included.
const connectLimit = 60 * time.Second

// A Client is a connection that is logged in. What is read goes through Reader, until that is nil.
type Client struct {
	net.Conn
	Reader *bufio.Reader
}

// A RefusedError is a CONNACK that admits nobody.
type RefusedError struct {
	ClientID string
	Code     byte // return code (section 3.2.2.3)
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("CONNECT of %s is refused with return code %d", e.ClientID, e.Code)
}

// A Dialer makes the connection that a client speaks on.
type Dialer func(context.Context) (net.Conn, error)

// TCP is a dialer to host:port.
func TCP(address string) Dialer {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", address) }
}

// Dial connects and logs in. user may be "".
func Dial(ctx context.Context, dial Dialer, clientID, user, password string) (*Client, error) {
	connection, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &Client{Conn: connection, Reader: bufio.NewReaderSize(connection, 16<<10)}
	if err := c.login(clientID, user, password); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return c, nil
}

// login sends CONNECT (section 3.1), with a clean session and without keep-alive.
func (c *Client) login(clientID, user, password string) error {
	if err := c.Conn.SetDeadline(time.Now().Add(connectLimit)); err != nil {
		return err
	}
	flags := byte(0x02)
	payload := text(nil, clientID)
	if user != "" {
		flags |= 0xC0
		payload = text(text(payload, user), password)
	}
	body := append([]byte("\x00\x04MQTT\x04"), flags, 0, 0)
	if _, err := c.Conn.Write(packet(connect, append(body, payload...))); err != nil {
		return err
	}
	kind, answer, err := c.ReadPacket()
	if err != nil {
		return fmt.Errorf("waiting for CONNACK: %w", err)
	}
	if kind != connack || len(answer) != 2 {
		return fmt.Errorf("CONNECT of %s is answered with %#x %x", clientID, kind, answer)
	}
	if answer[1] != 0 {
		return &RefusedError{ClientID: clientID, Code: answer[1]}
	}
	return c.Conn.SetDeadline(time.Time{})
}

// Subscribe asks for everything with QoS 1.
func (c *Client) Subscribe() error { return c.SubscribeTo("#", 1) }

// SubscribeTo asks for what a filter selects. The QoS granted must be the one given.
func (c *Client) SubscribeTo(filter string, qos byte) error {
	if _, err := c.Conn.Write(packet(subscribe, append(text([]byte{0, 1}, filter), qos))); err != nil {
		return err
	}
	kind, answer, err := c.ReadPacket()
	if err != nil {
		return err
	}
	if kind != suback || len(answer) != 3 || answer[2] != qos {
		return errors.New("SUBSCRIBE is refused")
	}
	return nil
}

// ReadPacket reads one packet: its type, and what follows the length.
func (c *Client) ReadPacket() (kind byte, body []byte, err error) {
	first, err := c.Reader.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(c.Reader) // the same encoding (section 2.2.3)
	if err != nil {
		return 0, nil, err
	}
	const longest = 1 << 20
	if length > longest {
		return 0, nil, errors.New("a packet is too long")
	}
	body = make([]byte, length)
	_, err = io.ReadFull(c.Reader, body)
	return first & 0xF0, body, err
}

func text(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}

func packet(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

// AppendPublish appends a PUBLISH of QoS 1 whose packet identifier is to be set; at is where that lies.
func AppendPublish(b []byte, topic string, payload []byte) (packet []byte, at int) {
	body := text(nil, topic)
	at = len(body)
	body = append(body, 0, 0)
	body = append(body, payload...)
	header := binary.AppendUvarint([]byte{publish}, uint64(len(body)))
	return append(append(b, header...), body...), len(b) + len(header) + at
}
