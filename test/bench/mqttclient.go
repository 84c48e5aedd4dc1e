package main

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

// First bytes of the packets of MQTT 3.1.1 that the benchmarks speak.
const (
	mqttConnect   = 0x10
	mqttConnack   = 0x20
	mqttPublish   = 0x32 // of QoS 1
	mqttPuback    = 0x40
	mqttSubscribe = 0x82
	mqttSuback    = 0x90
)

// connectLimit bounds connecting and logging in, a password hash and a queue of others before it included.
const connectLimit = 60 * time.Second

// A mqttClient is the least that an MQTT 3.1.1 client can be, so that it costs the servers' cores little.
type mqttClient struct {
	connection net.Conn
	reader     *bufio.Reader
}

// dialMQTT connects and logs in. user may be "".
func dialMQTT(ctx context.Context, dial func(context.Context) (net.Conn, error), clientID, user, password string) (*mqttClient, error) {
	connection, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &mqttClient{connection: connection, reader: bufio.NewReaderSize(connection, 16<<10)}
	if err := c.login(clientID, user, password); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return c, nil
}

// login sends CONNECT (section 3.1), with a clean session and without keep-alive.
func (c *mqttClient) login(clientID, user, password string) error {
	if err := c.connection.SetDeadline(time.Now().Add(connectLimit)); err != nil {
		return err
	}
	flags := byte(0x02)
	payload := mqttText(nil, clientID)
	if user != "" {
		flags |= 0xC0
		payload = mqttText(mqttText(payload, user), password)
	}
	body := append([]byte("\x00\x04MQTT\x04"), flags, 0, 0)
	if _, err := c.connection.Write(mqttPacket(mqttConnect, append(body, payload...))); err != nil {
		return err
	}
	kind, answer, err := c.read()
	if err != nil {
		return fmt.Errorf("waiting for CONNACK: %w", err)
	}
	if kind != mqttConnack || len(answer) != 2 || answer[1] != 0 {
		return fmt.Errorf("CONNECT of %s is answered with %#x %x", clientID, kind, answer)
	}
	return c.connection.SetDeadline(time.Time{})
}

// subscribe asks for everything with QoS 1.
func (c *mqttClient) subscribe() error {
	if _, err := c.connection.Write(mqttPacket(mqttSubscribe, append(mqttText([]byte{0, 1}, "#"), 1))); err != nil {
		return err
	}
	kind, answer, err := c.read()
	if err != nil {
		return err
	}
	if kind != mqttSuback || len(answer) != 3 || answer[2] != 1 {
		return errors.New("SUBSCRIBE is refused")
	}
	return nil
}

// read reads one packet: its first byte without the flags, and what follows the length.
func (c *mqttClient) read() (kind byte, body []byte, err error) {
	first, err := c.reader.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(c.reader) // the same encoding (section 2.2.3)
	if err != nil {
		return 0, nil, err
	}
	const longest = 1 << 20
	if length > longest {
		return 0, nil, errors.New("a packet is too long")
	}
	body = make([]byte, length)
	_, err = io.ReadFull(c.reader, body)
	return first & 0xF0, body, err
}

func mqttText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}

func mqttPacket(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

// appendPublish appends a PUBLISH of QoS 1 whose packet identifier is to be set; at is where that lies.
func appendPublish(b []byte, topic string, payload []byte) (packet []byte, at int) {
	body := mqttText(nil, topic)
	at = len(body)
	body = append(body, 0, 0)
	body = append(body, payload...)
	header := binary.AppendUvarint([]byte{mqttPublish}, uint64(len(body)))
	return append(append(b, header...), body...), len(b) + len(header) + at
}
