package pskclient

import (
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"sync"
	"time"
)

// A Command is a connection that a program makes: what is written to its input is encrypted, what it decrypts is read from its
// output. Deadlines do nothing.
type Command struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     io.ReadCloser
	once    sync.Once
}

var _ net.Conn = (*Command)(nil)

// OpenSSL connects with the command line of OpenSSL. version is "tls1_2" or "tls1_3". It does not wait for the handshake, and
// needs no build tag.
func OpenSSL(address, version, identity, key string) (*Command, error) {
	return start("openssl", "s_client", "-connect", address, "-"+version, "-psk_identity", identity, "-psk", hex.EncodeToString([]byte(key)),
		"-quiet", "-nocommands", "-no_ign_eof")
}

// GnuTLS connects with the command line of GnuTLS. version is "1.2" or "1.3".
func GnuTLS(address, version, identity, key string) (*Command, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	exchange := "+ECDHE-PSK:+PSK"
	if version == "1.2" {
		exchange = "+PSK" // GnuTLS 3.7 dies of a segmentation fault with the other one, whatever the server
	}
	priority := "NORMAL:-VERS-ALL:+VERS-TLS" + version + ":-KX-ALL:" + exchange
	return start("gnutls-cli", "--logfile=/dev/null", "--port", port, "--pskusername", identity, "--pskkey", hex.EncodeToString([]byte(key)),
		"--priority", priority, host)
}

func start(name string, arguments ...string) (*Command, error) {
	c := &Command{command: exec.Command(name, arguments...)}
	var err error
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = c.command.StdoutPipe(); err != nil {
		return nil, err
	}
	return c, c.command.Start()
}

// Read reads what the program has decrypted. At its end, for whatever reason, it is io.EOF.
func (c *Command) Read(b []byte) (int, error) { return c.out.Read(b) }

// Write has the program encrypt.
func (c *Command) Write(b []byte) (int, error) { return c.in.Write(b) }

// Close ends the program.
func (c *Command) Close() error {
	c.once.Do(func() {
		_ = c.in.Close()
		_ = c.command.Process.Kill()
		_ = c.command.Wait() // says that it was killed
	})
	return nil
}

// LocalAddr is not known.
func (*Command) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is not known.
func (*Command) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline does nothing.
func (*Command) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (*Command) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (*Command) SetWriteDeadline(time.Time) error { return nil }
