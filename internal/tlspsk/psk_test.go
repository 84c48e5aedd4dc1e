//go:build psk

package tlspsk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/test/meter"
	"github.com/fairlead/fairlead/test/pskclient"
)

// connections is the instrument that counts what OpenSSL holds.
const connections = "fairlead.tls.psk.connections"

// device offers the key that knownKeys has.
func device(version uint16) pskclient.Options {
	return pskclient.Options{Identity: "device@app", Key: "0123456789abcdef", Version: version}
}

// connect makes a connection of a client with a key, and returns the errors of both sides if there is none.
func (w world) connect(t testing.TB, o pskclient.Options) (server *Conn, client *pskclient.Conn, serverErr, clientErr error) {
	t.Helper()
	return w.connectAt(t, o, w.Addr().String())
}

// connectAt is connect through something that listens elsewhere.
func (w world) connectAt(t testing.TB, o pskclient.Options, address string) (server *Conn, client *pskclient.Conn, serverErr, clientErr error) {
	t.Helper()
	served := make(chan error, 1)
	go func() {
		conn, err := w.Accept()
		if err == nil {
			server = conn.(*Conn)
			err = server.HandshakeContext(context.Background())
		}
		served <- err
	}()
	d := pskclient.NewDialer(o)
	client, clientErr = d.Dial(address)
	serverErr = <-served
	t.Cleanup(func() {
		if client != nil {
			_ = client.Close()
		}
		d.Close()
		_ = server.Close()
	})
	return server, client, serverErr, clientErr
}

// mustConnect is connect for what has to succeed.
func (w world) mustConnect(t testing.TB, o pskclient.Options) (*Conn, *pskclient.Conn) {
	t.Helper()
	server, client, serverErr, clientErr := w.connect(t, o)
	if err := errors.Join(serverErr, clientErr); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// Each version and each suite admits a device with its key.
func TestKeys(t *testing.T) {
	w := newWorld(t, nil)
	for suites, version := range map[string]uint16{
		"":                             0,
		"TLS_AES_128_GCM_SHA256":       tls.VersionTLS13,
		"TLS_CHACHA20_POLY1305_SHA256": tls.VersionTLS13,
		"TLS_AES_128_CCM_SHA256":       tls.VersionTLS13,
		"TLS_AES_128_CCM_8_SHA256":     tls.VersionTLS13,
		"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256": tls.VersionTLS13,
		"PSK":                         tls.VersionTLS12,
		"ECDHE-PSK-CHACHA20-POLY1305": tls.VersionTLS12,
		"PSK-AES128-GCM-SHA256":       tls.VersionTLS12,
		"PSK-AES256-GCM-SHA384":       tls.VersionTLS12,
		"PSK-CHACHA20-POLY1305":       tls.VersionTLS12,
		"PSK-AES128-CCM":              tls.VersionTLS12,
		"PSK-AES256-CCM":              tls.VersionTLS12,
		"PSK-AES128-CCM8":             tls.VersionTLS12,
		"PSK-AES256-CCM8":             tls.VersionTLS12,
		"ECDHE-ECDSA-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256": tls.VersionTLS12,
	} {
		t.Run(suites, func(t *testing.T) {
			o := device(version)
			o.Suites = suites
			server, client := w.mustConnect(t, o)
			if err := talk(t, server, client); err != nil {
				t.Fatal(err)
			}
			state, ok := StateOf(server)
			if !ok || state.Identity != o.Identity || state.Proof != "proof" || state.Until.Unix() != 4e9 || state.Chain != nil {
				t.Errorf("%+v", state)
			}
			if version != 0 && state.Version != version || version == 0 && state.Version != tls.VersionTLS13 {
				t.Errorf("version %#x", state.Version)
			}
		})
	}
}

// A client that may speak TLS 1.3, and has a key for TLS 1.2 only, speaks that.
func TestKeyForOldVersionOnly(t *testing.T) {
	w := newWorld(t, nil)
	o := device(0)
	o.OnlyOldKeys = true
	server, client := w.mustConnect(t, o)
	if err := talk(t, server, client); err != nil {
		t.Fatal(err)
	}
	if state, _ := StateOf(server); state.Version != tls.VersionTLS12 {
		t.Errorf("%+v", state)
	}
}

// Whoever has no key is told what one with a wrong key is told.
func TestRefusalsAreAlike(t *testing.T) {
	reader := meter.Read(t)
	w := newWorld(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		told := ""
		for _, c := range []struct{ name, identity, key, missing string }{
			{"wrong key", "device@app", "another", ""},
			{"key that begins with the right one", "device@app", "0123456789abcdefg", ""},
			{"unknown identity", "nobody@app", "0123456789abcdef", "unknown"},
			{"no identity", "@", "0123456789abcdef", "unknown"},
		} {
			_, _, serverErr, clientErr := w.connect(t, pskclient.Options{Identity: c.identity, Key: c.key, Version: version})
			if clientErr == nil || serverErr == nil {
				t.Fatalf("%x: %s: admitted", version, c.name)
			}
			if told == "" {
				told = clientErr.Error()
			}
			if clientErr.Error() != told {
				t.Errorf("%x: %s: the client is told %q, not %q", version, c.name, clientErr, told)
			}
			f, ok := errors.AsType[*psk.Failure](serverErr)
			if !ok || string(f.Identity) != c.identity || f.Missing != c.missing || !f.Remote.IsValid() {
				t.Errorf("%x: %s: %+v", version, c.name, f)
			}
		}
		w.mustConnect(t, device(version))
	}
	if n := reader.Counts(connections)[connections]; n != 2 {
		t.Errorf("OpenSSL holds %d connections, not those that are open", n)
	}
}

// Where nobody can say whether there is a key, the handshake ends at once.
func TestUndecided(t *testing.T) {
	w := newWorld(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, _, serverErr, clientErr := w.connect(t, pskclient.Options{Identity: "away@app", Key: "k", Version: version})
		if !errors.Is(serverErr, psk.ErrUndecided) || !errors.Is(serverErr, errAway) {
			t.Errorf("%x: %v", version, serverErr)
		}
		if clientErr == nil || !strings.Contains(clientErr.Error(), "internal error") {
			t.Errorf("%x: the client is told %v", version, clientErr)
		}
	}
}

// OpenSSL would see another identity than the one that is looked up.
func TestIdentityWithNUL(t *testing.T) {
	w := newWorld(t, nil)
	o := device(tls.VersionTLS13)
	o.Identity += "\x00 and more"
	_, _, serverErr, clientErr := w.connect(t, o)
	if f, ok := errors.AsType[*psk.Failure](serverErr); !ok || f.Missing == "" || clientErr == nil {
		t.Errorf("%+v, %v", serverErr, clientErr)
	}
}

// A key that no suite of the client goes with is not fallen back from: the client gets no certificate instead.
func TestKeyThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, nil)
	o := device(tls.VersionTLS13)
	o.Suites = "TLS_AES_256_GCM_SHA384"
	_, _, serverErr, clientErr := w.connect(t, o)
	if serverErr == nil || clientErr == nil {
		t.Errorf("%v, %v", serverErr, clientErr)
	}
}

// No older version than 1.2 is spoken.
func TestOldVersions(t *testing.T) {
	w := newWorld(t, nil)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		o := device(version)
		o.Suites = "PSK-AES128-CBC-SHA"
		_, _, serverErr, clientErr := w.connect(t, o)
		if serverErr == nil || clientErr == nil || !strings.Contains(clientErr.Error(), "protocol version") {
			t.Errorf("%x: %v, %v", version, serverErr, clientErr)
		}
	}
}

// Much is sent in both directions, while keys are changed.
func TestMuchIsSent(t *testing.T) {
	w := newWorld(t, nil)
	much := make([]byte, 1<<20+7)
	_, _ = rand.Read(much)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := w.mustConnect(t, device(version))
		sent := make(chan error, 1)
		go func() {
			b := make([]byte, len(much))
			_, err := io.ReadFull(server, b)
			if err == nil {
				_, err = server.Write(b)
			}
			sent <- err
		}()
		if version == tls.VersionTLS13 {
			client.UpdateKey()
		}
		for part := much; len(part) > 0; {
			n, err := client.Write(part)
			if err != nil {
				t.Fatal(err)
			}
			part = part[n:]
		}
		back := make([]byte, len(much))
		if _, err := io.ReadFull(client, back); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil || !bytes.Equal(back, much) {
			t.Errorf("%x: %v, and it comes back as it was: %v", version, err, bytes.Equal(back, much))
		}
	}
}

// Each side hears of the other's end, and nothing is left of a connection.
func TestEnds(t *testing.T) {
	reader := meter.Read(t)
	w := newWorld(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := w.mustConnect(t, device(version))
		if err := server.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%x: the client reads %v", version, err)
		}
		if _, err := server.Write([]byte("x")); err == nil {
			t.Errorf("%x: written after CloseWrite", version)
		}
		if _, err := client.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(server, b); err != nil || string(b) != "last" {
			t.Errorf("%x: %q, %v", version, b, err)
		}
		_ = client.Close()
		if _, err := server.Read(b); !errors.Is(err, io.EOF) {
			t.Errorf("%x: the server reads %v", version, err)
		}
		_ = server.Close()
		if _, err := server.Read(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%x: after Close: %v", version, err)
		}
		server, _ = w.mustConnect(t, device(version))
		reading := make(chan error, 1)
		go func() { _, err := server.Read(make([]byte, 1)); reading <- err }()
		_ = server.Close()
		if err := <-reading; err == nil {
			t.Errorf("%x: Close does not end a Read", version)
		}
	}
	if n := reader.Counts(connections)[connections]; n != 0 {
		t.Errorf("OpenSSL holds %d connections", n)
	}
}

// A read deadline interrupts, and reading goes on after it.
func TestReadDeadline(t *testing.T) {
	w := newWorld(t, nil)
	server, client := w.mustConnect(t, device(0))
	_ = server.SetReadDeadline(time.Unix(1, 0))
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	_ = server.SetReadDeadline(time.Time{})
	if err := talk(t, server, client); err != nil {
		t.Error(err)
	}
}

// Reading, writing and closing at once is well.
func TestAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	for range 20 {
		server, client := w.mustConnect(t, device(0))
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for {
					if _, err := server.Write([]byte("tick")); err != nil {
						return
					}
				}
			})
		}
		group.Go(func() { _, _ = io.Copy(io.Discard, server) })
		if _, err := io.ReadFull(client, make([]byte, 4000)); err != nil {
			t.Error(err)
		}
		_ = server.Close()
		group.Wait()
	}
}

// Handshakes that fail have no effect on those beside and after them, on whatever thread they run.
func TestBadHandshakesAreAlone(t *testing.T) {
	w := newWorld(t, nil)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := w.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			o := device(0)
			if i%2 > 0 {
				o.Key = "wrong"
			}
			d := pskclient.NewDialer(o)
			defer d.Close()
			for range 30 {
				conn, err := d.Dial(w.Addr().String())
				if (err == nil) != (i%2 == 0) {
					t.Errorf("client %d: %v", i, err)
				}
				if err != nil {
					continue
				}
				_, _ = io.WriteString(conn, "hello")
				if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
					t.Errorf("client %d reads: %v", i, err)
				}
				_ = conn.Close()
			}
		})
	}
	clients.Wait()
	_ = w.Close()
	accepting.Wait()
}

// Look-ups are bounded in number: further handshakes wait for a place.
func TestLookupsAreBounded(t *testing.T) {
	looking, proceed := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(c *Config) {
		c.MaxLookups = 1
		c.Keys = func(ctx context.Context, identity []byte) (psk.Key, error) {
			looking <- struct{}{}
			<-proceed
			return knownKeys(ctx, identity)
		}
	})
	var group sync.WaitGroup
	for range 2 {
		conn := make(chan *Conn, 1)
		group.Go(func() { conn <- w.accept(t) })
		group.Go(func() {
			if err := (<-conn).HandshakeContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			d := pskclient.NewDialer(device(0))
			defer d.Close()
			if client, err := d.Dial(w.Addr().String()); err != nil {
				t.Error(err)
			} else {
				_ = client.Close()
			}
		})
	}
	<-looking
	if len(w.lookups) != 1 {
		t.Errorf("%d look-ups", len(w.lookups))
	}
	proceed <- struct{}{}
	<-looking
	proceed <- struct{}{}
	group.Wait()
}

// A client with a key that offers protocols gets HTTP/1.1, and never HTTP/2.
func TestEstablishedServesKeys(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.TLS.NextProtos = []string{"h2", "http/1.1"} })
	type key struct{}
	server := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			state, _ := StateOf(r.Context().Value(key{}).(net.Conn))
			_, _ = io.WriteString(w, r.Proto+" "+state.Protocol+" "+state.Identity)
		}),
	}
	failures := make(chan psk.Failure, 1)
	go func() { _ = server.Serve(Established(w.Listener, 4, func(f psk.Failure) { failures <- f })) }()
	defer server.Close()
	o := device(0)
	o.Protocols = []string{"h2", "http/1.1"}
	d := pskclient.NewDialer(o)
	defer d.Close()
	client, err := d.Dial(w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(client); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(client), request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); string(text) != "HTTP/1.1 http/1.1 device@app" {
		t.Errorf("%s", text)
	}
	o.Key = "wrong"
	wrong := pskclient.NewDialer(o)
	defer wrong.Close()
	if _, err := wrong.Dial(w.Addr().String()); err == nil {
		t.Error("admitted with a wrong key")
	}
	if f := <-failures; string(f.Identity) != o.Identity {
		t.Errorf("%+v", f)
	}
}

// A client with a key that falls silent after its ClientHello is no burden for longer than a handshake may take.
func TestSilentClientsWithKey(t *testing.T) {
	reader := meter.Read(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		silence(t, firstMessage(t, func(address string) error {
			d := pskclient.NewDialer(device(version))
			defer d.Close()
			conn, err := d.Dial(address)
			if err == nil {
				_ = conn.Close()
			}
			return err
		}))
	}
	if n := reader.Counts(connections)[connections]; n != 0 {
		t.Errorf("OpenSSL holds %d connections", n)
	}
}
