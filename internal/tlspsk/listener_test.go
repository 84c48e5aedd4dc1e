package tlspsk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/test/authority"
)

// waitLimit ends a test that fails.
const waitLimit = time.Minute

// A world is a listener, and what its clients need.
type world struct {
	*Listener
	authority *authority.Authority
}

// newWorld opens a listener on this machine until the test ends. change, if it is not nil, changes its configuration, which
// knows the key of knownKeys.
func newWorld(t testing.TB, change func(*Config)) world {
	t.Helper()
	a := authority.New(t, "authority")
	c := Config{
		TLS:  &tls.Config{Certificates: []tls.Certificate{a.Issue("server", nil)}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12},
		Keys: knownKeys,
	}
	if change != nil {
		change(&c)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(inner, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return world{l, a}
}

var errAway = errors.New("away")

// knownKeys knows the key of device@app.
func knownKeys(_ context.Context, identity []byte) (psk.Key, error) {
	switch string(identity) {
	case "device@app":
		return psk.Key{Secret: []byte("0123456789abcdef"), Proof: "proof", Until: time.Unix(4e9, 0)}, nil
	case "away@app":
		return psk.Key{}, errAway
	default:
		return psk.Key{Missing: "unknown"}, nil
	}
}

// client is the configuration of a client of crypto/tls.
func (w world) client(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: w.authority.Pool(), ServerName: "localhost", Certificates: certificates}
}

// accept accepts one connection.
func (w world) accept(t testing.TB) *Conn {
	t.Helper()
	conn, err := w.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*Conn)
}

// dial connects without TLS.
func (w world) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(waitLimit))
	return conn
}

// talk has each side say something that the other hears. The first to speak makes the handshake.
func talk(t testing.TB, server, client net.Conn) error {
	t.Helper()
	answered := make(chan error, 1)
	go func() {
		b := make([]byte, 5)
		_, err := io.ReadFull(server, b)
		if err == nil {
			_, err = server.Write(append(b, '!'))
		}
		answered <- err
	}()
	_, err := io.WriteString(client, "hello")
	b := make([]byte, 6)
	if err == nil {
		_, err = io.ReadFull(client, b)
	}
	if err == nil && string(b) != "hello!" {
		err = fmt.Errorf("the answer is %q", b)
	}
	return errors.Join(err, <-answered)
}

// Clients without a pre-shared key are those of crypto/tls, with and without a certificate.
func TestClientsWithoutKey(t *testing.T) {
	w := newWorld(t, nil)
	mine := w.authority.Issue("device", nil)
	for name, c := range map[string]struct {
		version      uint16
		certificates []tls.Certificate
	}{
		"1.2":                    {tls.VersionTLS12, nil},
		"1.3":                    {tls.VersionTLS13, nil},
		"1.2 with a certificate": {tls.VersionTLS12, []tls.Certificate{mine}},
		"1.3 with a certificate": {tls.VersionTLS13, []tls.Certificate{mine}},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.client(c.certificates...)
			config.MinVersion, config.MaxVersion = c.version, c.version
			client := tls.Client(w.dial(t), config)
			server := w.accept(t)
			if _, ok := StateOf(server); ok {
				t.Error("there is a state before the handshake")
			}
			if err := talk(t, server, client); err != nil {
				t.Fatal(err)
			}
			state, ok := StateOf(server)
			if !ok || state.Version != c.version || state.Identity != "" || len(state.Chain) != len(c.certificates) {
				t.Errorf("%+v", state)
			}
			if len(state.Chain) > 0 && string(state.Chain[0]) != string(mine.Certificate[0]) {
				t.Error("another chain")
			}
		})
	}
}

// A client that goes on with an earlier session offers a ticket, which looks like a pre-shared key.
func TestTicketsAreNoKeys(t *testing.T) {
	w := newWorld(t, nil)
	config := w.client(w.authority.Issue("device", nil))
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for _, resumed := range []bool{false, true} {
		client := tls.Client(w.dial(t), config)
		server := w.accept(t)
		if err := talk(t, server, client); err != nil {
			t.Fatal(err)
		}
		if client.ConnectionState().DidResume != resumed {
			t.Errorf("resumed: %v, want %v", !resumed, resumed)
		}
		if state, _ := StateOf(server); len(state.Chain) != 1 {
			t.Error("no chain")
		}
	}
}

// net/http speaks HTTP/2 with clients of crypto/tls.
func TestEstablishedServesHTTP2(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.TLS.NextProtos = []string{"h2", "http/1.1"} })
	states := make(chan State, 1)
	type key struct{}
	server := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			state, _ := StateOf(r.Context().Value(key{}).(net.Conn))
			states <- state
			_, _ = io.WriteString(w, r.Proto)
		}),
	}
	l := Established(w.Listener, 1, nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{TLSClientConfig: w.client(w.authority.Issue("device", nil)), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: waitLimit}
	response, err := client.Get("https://" + w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); string(text) != "HTTP/2.0" {
		t.Errorf("%s", text)
	}
	if state := <-states; state.Protocol != "h2" || len(state.Chain) != 1 {
		t.Errorf("%+v", state)
	}
	_ = server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// Established tells of handshakes that do not succeed, closes what comes on top of its bound, and ends handshakes with itself.
func TestEstablishedIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	failures := make(chan psk.Failure, 1)
	l := Established(w.Listener, 1, func(f psk.Failure) { failures <- f })
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()
	garbage := w.dial(t)
	_, _ = io.WriteString(garbage, "GET / HTTP/1.1\r\n\r\n")
	if f := <-failures; f.Err == nil || f.Remote.String() != garbage.LocalAddr().String() {
		t.Errorf("%+v", f)
	}
	silent, another := w.dial(t), w.dial(t)
	if _, err := another.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("beyond the bound: %v", err)
	}
	_ = l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a handshake goes on after Close: %v", err)
	}
}

// A client that says nothing more, at whatever place of its ClientHello or behind it, has its connection closed when the time for a
// handshake is over.
func TestSilentClients(t *testing.T) {
	hello := firstMessage(t, func(address string) error {
		conn, err := tls.Dial("tcp", address, nil)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	for name, sent := range map[string][]byte{"nothing": nil, "a header": hello[:recordHeader], "half of a hello": hello[:len(hello)/2], "a hello": hello} {
		t.Run(name, func(t *testing.T) { silence(t, sent) })
	}
}

// silence sends the beginning of a handshake and nothing more.
func silence(t *testing.T, sent []byte) {
	t.Helper()
	w := newWorld(t, func(c *Config) { c.HandshakeTimeout = 200 * time.Millisecond })
	client := w.dial(t)
	if _, err := client.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := w.accept(t).HandshakeContext(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the handshake ends with %v", err)
	}
	if _, err := io.Copy(io.Discard, client); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays open")
	}
}

// firstMessage is what a client sends before it has heard anything, in one record. Then its connection is closed, and dial fails.
func firstMessage(t *testing.T, dial func(address string) error) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed := make(chan error, 1)
	go func() { dialed <- dial(l.Addr().String()) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	header := make([]byte, recordHeader)
	if _, err := io.ReadFull(conn, header); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, int(header[3])<<8|int(header[4]))
	if _, err := io.ReadFull(conn, message); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := <-dialed; err == nil {
		t.Fatal("the client has made a handshake with nobody")
	}
	return append(header, message...)
}
