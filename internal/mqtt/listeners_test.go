package mqtt

import (
	"net"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
)

func TestListenConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*ListenConfig)) {
		t.Helper()
		c := DefaultListenConfig()
		c.TCP.Address = ":1883"
		change(&c)
		err := config.Validate("", &c)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+": ")) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("", func(*ListenConfig) {})
	f("tcp.address", func(c *ListenConfig) { c.TCP.Address = "1883" })
	f("tcp.address", func(c *ListenConfig) { c.TCP.Address = "" })
	f("tls.keyFile", func(c *ListenConfig) { c.TLS.CertificateFile = "tls.crt" })
	f("tls.certificateFile", func(c *ListenConfig) { c.TLS.Address = ":8883" })
	f("webSocketTLS.certificateFile", func(c *ListenConfig) { c.WebSocketTLS.Address = ":443" })
	f("tcp.certificateFile", func(c *ListenConfig) { c.TCP.CertificateFile, c.TCP.KeyFile = "tls.crt", "tls.key" })
	f("webSocket.certificateFile", func(c *ListenConfig) { c.WebSocket.CertificateFile, c.WebSocket.KeyFile = "tls.crt", "tls.key" })
}

// loopback listens at a free port.
func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListenOpensAllOrNothing(t *testing.T) {
	taken := loopback(t)
	defer taken.Close()
	c := DefaultListenConfig()
	c.TCP.Address, c.WebSocket.Address = "127.0.0.1:0", taken.Addr().String()
	l, err := Listen(c, nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "opening webSocket: ") || l != (Listeners{}) {
		t.Errorf("%v, %+v", err, l)
	}
}

func TestListenSaysWhatItCannotOpen(t *testing.T) {
	c := DefaultListenConfig()
	c.TCP.Address = "127.0.0.1:99999"
	if _, err := Listen(c, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "opening tcp: ") {
		t.Errorf("%v", err)
	}
}

func TestEndpoints(t *testing.T) {
	certificateFile, keyFile := writePair(t, t.TempDir(), selfSigned(t, "server"))
	c := DefaultListenConfig()
	c.TCP.Address, c.WebSocketTLS.Address = "127.0.0.1:0", "127.0.0.1:0"
	c.WebSocketTLS.CertificateFile, c.WebSocketTLS.KeyFile = certificateFile, keyFile
	l, err := Listen(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := l.Endpoints()
	if len(got) != 2 || got[0] != (Endpoint{"mqtt", false, l.TCP}) || got[1] != (Endpoint{"mqtt over websocket", true, l.WebSocketTLS}) {
		t.Errorf("%+v", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
