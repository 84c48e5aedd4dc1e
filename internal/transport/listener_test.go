package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// open listens on a free port of this machine until the test ends.
func open(t *testing.T, c Config) net.Listener {
	t.Helper()
	c.Address = "127.0.0.1:0"
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// accept accepts one connection.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call connects to a listener.
func call(t *testing.T, l net.Listener) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, conn net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestListen(t *testing.T) {
	l := open(t, DefaultConfig())
	client := call(t, l)
	server := accept(t, l)
	write(t, client, "hello")
	if got := read(t, server, 5); got != "hello" {
		t.Errorf("got %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting after Close: %v", err)
	}
}

func TestListenFails(t *testing.T) {
	taken := open(t, DefaultConfig())
	c := DefaultConfig()
	c.Address = taken.Addr().String()
	if _, err := Listen(c, nil); err == nil {
		t.Error("listened at an address that is taken")
	}
	c.CertificateFile, c.KeyFile = "/nowhere/tls.crt", "/nowhere/tls.key"
	if _, err := Listen(c, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("listened without the certificate: %v", err)
	}
}

// A poor listener lacks file descriptors for a while.
type poor struct {
	net.Listener
	failures int
	tried    int
}

func (l *poor) Accept() (net.Conn, error) {
	if l.tried++; l.tried <= l.failures {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	_, conn := net.Pipe()
	return conn, nil
}

func (l *poor) Close() error { return nil }

func TestAcceptSurvivesLackOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scarce := &poor{failures: 12}
		l := assemble(DefaultConfig(), scarce, discardLog())
		started := time.Now()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		// 5, 10, … 640 ms, and then 750 ms each, give or take a third.
		const about = 1275*time.Millisecond + 4*750*time.Millisecond
		if waited := time.Since(started); waited < about*2/3-1 || waited > about*4/3+12 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestCloseEndsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := assemble(DefaultConfig(), &poor{failures: 1 << 30}, discardLog())
		failed := make(chan error)
		go func() {
			_, err := l.Accept()
			failed <- err
		}()
		synctest.Wait()
		_ = l.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestProxy(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\x7f\x00\x00\x01\x1f\x90\x07\x5b"
	for name, header := range map[string]string{
		"version 1": "PROXY TCP4 198.51.100.7 127.0.0.1 8080 1883\r\n",
		"version 2": v2,
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			c.ProxyProtocol = true
			l := open(t, c)
			client := call(t, l)
			write(t, client, header+"hello")
			server := accept(t, l)
			if got := read(t, server, 5); got != "hello" {
				t.Errorf("got %q", got)
			}
			if got := server.RemoteAddr().String(); got != "198.51.100.7:8080" {
				t.Errorf("the client's address is %s", got)
			}
			if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Error(err)
			}
			if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
				t.Errorf("after CloseWrite the client reads %q, %v", rest, err)
			}
		})
	}
}

func TestProxyDemandsHeader(t *testing.T) {
	for name, sent := range map[string]string{
		"none":      "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
		"malformed": "PROXY TCP4 nonsense\r\n",
		"endless":   "PROXY " + strings.Repeat("x", 10_000),
		"silent":    "",
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			c.ProxyProtocol, c.ProxyTimeout = true, 100*time.Millisecond
			l := open(t, c)
			client := call(t, l)
			write(t, client, sent)
			server := accept(t, l)
			if n, err := server.Read(make([]byte, 100)); err == nil {
				t.Errorf("read %d bytes", n)
			}
		})
	}
}

// secured has the configuration of a TLS listener with a certificate of that name.
func secured(t *testing.T, name string) Config {
	t.Helper()
	f := newFolder(t)
	f.issue(name)
	c := DefaultConfig()
	c.CertificateFile, c.KeyFile = f.certificate, f.keyFile
	return c
}

// shake performs both sides of a handshake.
func shake(t *testing.T, l net.Listener, client *tls.Conn) (server *tls.Conn, err error) {
	t.Helper()
	server = accept(t, l).(*tls.Conn)
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	clientErr := client.Handshake()
	return server, errors.Join(<-done, clientErr)
}

func TestTLSAsksForCertificate(t *testing.T) {
	mine := pairOf(t, "device 1")
	for name, c := range map[string]struct {
		ask          bool
		certificates []tls.Certificate
		want         string
	}{
		"shown":     {true, []tls.Certificate{mine}, "device 1"},
		"not shown": {true, nil, ""},
		"not asked": {false, []tls.Certificate{mine}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := secured(t, "server")
			config.ClientCertificates = c.ask
			l := open(t, config)
			server, err := shake(t, l, tls.Client(call(t, l), &tls.Config{InsecureSkipVerify: true, Certificates: c.certificates}))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if peers := server.ConnectionState().PeerCertificates; len(peers) > 0 {
				got = peers[0].Subject.CommonName
			}
			if got != c.want {
				t.Errorf("the client is %q, not %q", got, c.want)
			}
		})
	}
}

// Who resumes a session is who began it.
func TestTLSResumes(t *testing.T) {
	l := open(t, secured(t, "server"))
	config := &tls.Config{
		InsecureSkipVerify: true,
		Certificates:       []tls.Certificate{pairOf(t, "device 1")},
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	for _, resumed := range []bool{false, true} {
		config.ServerName = "server"
		client := tls.Client(call(t, l), config)
		server, err := shake(t, l, client)
		if err != nil {
			t.Fatal(err)
		}
		state := server.ConnectionState()
		if state.DidResume != resumed || len(state.PeerCertificates) != 1 || state.PeerCertificates[0].Subject.CommonName != "device 1" {
			t.Errorf("resumed: %v, certificates: %d", state.DidResume, len(state.PeerCertificates))
		}
		write(t, server, "ticket")
		read(t, client, 6) // with it comes the session ticket
	}
}

func TestTLSRefusesOldVersions(t *testing.T) {
	l := open(t, secured(t, "server"))
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := shake(t, l, tls.Client(call(t, l), old)); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	if _, err := shake(t, l, tls.Client(call(t, l), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})); err != nil {
		t.Errorf("TLS 1.2 was refused: %v", err)
	}
}

func TestTLSBehindProxy(t *testing.T) {
	c := secured(t, "server")
	c.ProxyProtocol = true
	l := open(t, c)
	client := call(t, l)
	write(t, client, "PROXY TCP6 2001:db8::7 ::1 8080 8883\r\n")
	server, err := shake(t, l, tls.Client(client, &tls.Config{InsecureSkipVerify: true}))
	if err != nil {
		t.Fatal(err)
	}
	if got := server.RemoteAddr().String(); got != "[2001:db8::7]:8080" {
		t.Errorf("the client's address is %s", got)
	}
}
