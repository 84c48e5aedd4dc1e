package bridge

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// The schemes of a broker's URL.
const (
	schemeTCP = "mqtt"
	schemeTLS = "mqtts"
	schemeWS  = "ws"
	schemeWSS = "wss"
)

// A dialer connects to the broker.
type dialer struct {
	url       *url.URL
	config    BrokerConfig
	maxPacket int
}

// dial makes a connection for the client. The files of TLS are read each time, so that new ones need no restart.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.ConnectTimeout)
	defer cancel()
	raw, err := d.transport(ctx)
	if err != nil {
		return nil, err
	}
	return newConn(raw, d.maxPacket, d.config.ConnectTimeout), nil
}

func (d *dialer) transport(ctx context.Context) (net.Conn, error) {
	switch d.url.Scheme {
	case schemeTCP:
		return (&net.Dialer{}).DialContext(ctx, "tcp", d.url.Host)
	case schemeTLS:
		config, err := d.tls()
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", d.url.Host)
	default:
		return d.webSocket(ctx)
	}
}

// webSocket carries MQTT in binary frames (MQTT 5.0 section 6).
func (d *dialer) webSocket(ctx context.Context) (net.Conn, error) {
	config, err := d.tls()
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, TLSHandshakeTimeout: d.config.ConnectTimeout}}
	c, _, err := websocket.Dial(ctx, d.url.String(), &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"mqtt"}})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(-1) // of a frame; the limit of packets is the connection's
	return websocket.NetConn(context.WithoutCancel(ctx), c, websocket.MessageBinary), nil
}

// tls reads the files. Errors name them, and nothing that is in them.
func (d *dialer) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.url.Hostname()}
	if file := d.config.CAFile; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the authorities: %s holds no certificate", file)
		}
	}
	if d.config.CertificateFile == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(d.config.CertificateFile, d.config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of the bridge: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// A conn is a connection as the client wants it. The client reads in small pieces, and writes a packet in several, between
// Lock and Unlock: both become one call each.
type conn struct {
	net.Conn
	reader       *bufio.Reader
	frame        frame
	writeTimeout time.Duration

	mu     sync.Mutex // held from Lock to Unlock
	writer *bufio.Writer
}

func newConn(c net.Conn, maxPacket int, writeTimeout time.Duration) *conn {
	const buffer = 4 << 10
	return &conn{
		Conn: c, reader: bufio.NewReaderSize(c, buffer), frame: frame{limit: maxPacket}, writeTimeout: writeTimeout,
		writer: bufio.NewWriterSize(c, buffer),
	}
}

// Read gives what the broker sent, up to a packet that is too large.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	if fault := c.frame.follow(p[:n]); fault != nil {
		return 0, errors.Join(fault, c.Close())
	}
	return n, err
}

// Lock begins a packet. Only one is written at a time.
func (c *conn) Lock() { c.mu.Lock() }

// Write adds to the packet.
func (c *conn) Write(p []byte) (int, error) { return c.writer.Write(p) }

// Unlock sends the packet. A broker that does not take it in time, or any other failure, ends the connection: the client
// reads of it.
func (c *conn) Unlock() {
	defer c.mu.Unlock()
	err := c.SetWriteDeadline(time.Now().Add(c.writeTimeout))
	if err == nil {
		err = c.writer.Flush()
	}
	if err != nil {
		_ = c.Close()
	}
}
