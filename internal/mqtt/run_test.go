package mqtt

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/transport"
)

// A running server serves listeners until the test ends.
type running struct {
	Listeners
	stop  context.CancelFunc
	ended <-chan error
}

func run(t *testing.T, s *Server, l Listeners, beside ...func(context.Context)) running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- s.Run(ctx, l, time.Minute, beside...)
	}()
	t.Cleanup(func() { stop(); <-done })
	return running{l, stop, ended}
}

// await receives something that must come.
func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not come", what)
	}
	return v
}

// Run waits for the answers of what clients have published, takes leave of them, and ends what runs beside.
func TestRunDrains(t *testing.T) {
	g := &gateway{publish: hold}
	beside := make(chan struct{})
	at := run(t, NewServer(DefaultConfig(), g, nil), Listeners{TCP: loopback(t)}, func(ctx context.Context) { <-ctx.Done(); close(beside) })
	c := dial(t, at.TCP.Addr(), packet.V5)
	c.send(publication(packet.V5, 1, "t", "x"))
	waitFor(t, func() bool { return len(g.all()) == 1 && len(g.all()[0].messages()) == 1 })
	at.stop()
	await(t, "the end of what runs beside", beside)
	waitFor(t, func() bool {
		link, err := net.Dial("tcp", at.TCP.Addr().String())
		if err == nil {
			_ = link.Close()
		}
		return err != nil
	})
	select {
	case err := <-at.ended:
		t.Fatalf("it did not wait for the answer: %v", err)
	default:
	}
	var held []func(Answer)
	waitFor(t, func() bool { held = append(held, g.all()[0].held()...); return len(held) == 1 })
	held[0](Answer{})
	c.expect(puback(1))
	c.expect(frame(0xE0, []byte{0x8B}))
	c.expectEnd()
	if err := await(t, "the end", at.ended); err != nil {
		t.Error(err)
	}
}

func TestRunReportsAListenerThatFails(t *testing.T) {
	at := run(t, NewServer(DefaultConfig(), &gateway{}, nil), Listeners{TCP: failing{loopback(t)}})
	if err := await(t, "the end", at.ended); !errors.Is(err, errListener) {
		t.Errorf("%v", err)
	}
}

var errListener = errors.New("the listener broke")

type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, errListener }

func TestWebServerRefusesWhatIsNoWebSocket(t *testing.T) {
	at := run(t, NewServer(DefaultConfig(), &gateway{}, nil), Listeners{WebSocket: loopback(t)})
	response, err := http.Get("http://" + at.WebSocket.Addr().String() + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); response.StatusCode != http.StatusNotFound || len(body) == 0 || err != nil {
		t.Errorf("%d %q %v", response.StatusCode, body, err)
	}
}

// Connections that never ask for anything are bounded.
func TestSilentWebConnectionsAreBounded(t *testing.T) {
	c := DefaultConfig()
	c.MaxUnadmitted = 3
	at := run(t, NewServer(c, &gateway{}, nil), Listeners{WebSocket: loopback(t)})
	var open []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", at.WebSocket.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	_ = open[3].SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := open[3].Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("read %d, %v", n, err)
	}
	_ = open[0].Close()
	waitFor(t, func() bool { // there is room for another
		response, err := http.Get("http://" + at.WebSocket.Addr().String() + "/")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusNotFound
	})
}

// A TLS handshake that does not succeed is reported, also where an HTTP server has the connection.
func TestBrokenHandshakesAreReported(t *testing.T) {
	for name, over := range map[string]func(*ListenConfig) *transport.Config{
		"TLS":       func(c *ListenConfig) *transport.Config { return &c.TLS },
		"WebSocket": func(c *ListenConfig) *transport.Config { return &c.WebSocketTLS },
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultListenConfig()
			secured := over(&c)
			secured.Address = "127.0.0.1:0"
			secured.CertificateFile, secured.KeyFile = writePair(t, t.TempDir(), selfSigned(t, "server"))
			l, err := Listen(c, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s, reports := NewServer(DefaultConfig(), &gateway{}, nil), make(chan Broken, 1)
			s.OnBroken(func(b Broken) { reports <- b })
			at := run(t, s, l)
			link, err := net.Dial("tcp", at.Endpoints()[0].Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			if _, err := io.WriteString(link, "GET / HTTP/1.1\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			b := await(t, "the report", reports)
			if r := b.Report(); r.Where != "TLS handshake" || r.Remote != "127.0.0.1" || r.Reason == "" || b.Handshake == nil {
				t.Errorf("%+v", b)
			}
		})
	}
}
