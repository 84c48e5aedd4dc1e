package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// The sizes of chunks in bytes. The standard asks everybody to take chunks of 8192 bytes.
const (
	chunkSize  = 1<<16 - 1
	leastChunk = 8192
)

// A Config says where a server is and what is asked of it.
type Config struct {
	URL        string // opc.tcp://host:port/path
	Security   Security
	Timeout    time.Duration // of a request
	Lifetime   time.Duration // of a token; it is renewed before
	MaxMessage int           // bytes of a response
}

// DefaultPort is that of a URL without one.
const DefaultPort = "4840"

// Address is the host and port of a URL of the form opc.tcp://host:port/path.
func Address(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the URL: %w", err)
	case u.Scheme != "opc.tcp":
		return "", fmt.Errorf("the URL begins with %q, not with opc.tcp", u.Scheme)
	case u.Hostname() == "":
		return "", errors.New("the URL has no host")
	}
	port := u.Port()
	if port == "" {
		port = DefaultPort
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// Dial connects and opens a channel.
func Dial(ctx context.Context, c Config) (*Channel, error) {
	address, err := Address(c.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	peer, err := greet(conn, &c)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greeting %s: %w", address, err)
	}
	channel := start(conn, c, peer)
	if err := channel.open(ctx); err != nil {
		channel.Close()
		return nil, fmt.Errorf("opening a secure channel to %s: %w", address, err)
	}
	return channel, nil
}

// limits are those of the server.
type limits struct {
	chunk           int // bytes that it takes in a chunk
	message, chunks uint32
}

// greet says hello, and reads the server's limits.
func greet(conn net.Conn, c *Config) (limits, error) {
	w := &uabinary.Writer{}
	for _, v := range []int{0, chunkSize, chunkSize, c.MaxMessage, c.MaxMessage/leastChunk + 1} {
		w.Uint32(uint32(v))
	}
	w.String(c.URL)
	hello := append([]byte("HELF\x00\x00\x00\x00"), w.Bytes()...)
	binary.LittleEndian.PutUint32(hello[4:], uint32(len(hello)))
	if _, err := conn.Write(hello); err != nil {
		return limits{}, err
	}
	answer, err := readFrame(conn, make([]byte, leastChunk))
	if err != nil {
		return limits{}, err
	}
	if string(answer[:4]) != "ACKF" {
		return limits{}, fmt.Errorf("the server answers %q: is it an OPC UA server?", answer[:4])
	}
	r := uabinary.NewReader(answer[frameHeader:], leastChunk)
	r.Uint32() // version of the protocol; there is only one
	receive, _ := r.Uint32(), r.Uint32()
	l := limits{chunk: min(int(receive), chunkSize), message: r.Uint32(), chunks: r.Uint32()}
	if r.Err() != nil || receive < leastChunk {
		return limits{}, fmt.Errorf("the server takes chunks of %d bytes, less than %d", receive, leastChunk)
	}
	return l, nil
}

// frameHeader is the length of what begins each chunk: type, kind and size.
const frameHeader = 8

// readFrame reads a chunk with its header into b.
func readFrame(r io.Reader, b []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, b[:frameHeader]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size < frameHeader || size > uint32(len(b)) {
		return nil, fmt.Errorf("a chunk %q of %d bytes, not between %d and %d", b[:4], size, frameHeader, len(b))
	}
	b = b[:size]
	if _, err := io.ReadFull(r, b[frameHeader:]); err != nil {
		return nil, err
	}
	if string(b[:3]) == "ERR" {
		return nil, readError(b[frameHeader:])
	}
	return b, nil
}

// A ServerError is how a server ends a connection.
type ServerError struct {
	Status uabinary.StatusCode
	Reason string
}

func (e *ServerError) Error() string {
	if e.Reason == "" {
		return "the server says " + e.Status.String()
	}
	return fmt.Sprintf("the server says %s: %q", e.Status, e.Reason)
}

func (e *ServerError) Unwrap() error { return e.Status }

func readError(b []byte) error {
	const most = 1024
	r := uabinary.NewReader(b, most)
	e := &ServerError{Status: uabinary.StatusCode(r.Uint32()), Reason: r.String()}
	return e
}
