package dtls

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/fairlead/fairlead/internal/psk"
)

// TestTellsOfFailures has handshakes fail, each for another reason. Of one whose client has not shown that its address is its own,
// nothing is told: anybody can begin as many as he likes of those.
func TestTellsOfFailures(t *testing.T) {
	told := make(chan psk.Failure, 10)
	c := DefaultConfig()
	c.HandshakeTimeout = time.Second
	e := serve(t, c, Secrets{
		Failed: func(f psk.Failure) { told <- f },
		Key: func(ctx context.Context, identity []byte) (psk.Key, error) {
			if string(identity) == "nobody@app" {
				return psk.Key{Missing: "unknown"}, nil
			}
			return keys(ctx, identity)
		},
	}, false)
	if _, err := socket(t).WriteTo(hello(t), net.UDPAddrFromAddrPort(e.Address())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the beginning", func() bool { return e.unproven.Len() == 1 })
	eventually(t, "its end", func() bool { return e.unproven.Len() == 0 })
	fails := func(identity, key, missing string, undecided bool) {
		t.Helper()
		client, err := dtls.ClientWithOptions(socket(t), net.UDPAddrFromAddrPort(e.Address()), preShared(identity, key)...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
		defer cancel()
		go func() { _ = client.HandshakeContext(ctx) }()
		select {
		case f := <-told:
			if string(f.Identity) != identity || f.Missing != missing || errors.Is(f.Err, psk.ErrUndecided) != undecided || f.Err == nil || !f.Remote.IsValid() {
				t.Errorf("%s: %+v", identity, f)
			}
		case <-ctx.Done():
			t.Errorf("%s: nothing is told", identity)
		}
	}
	fails("device@app", "wrong", "", false)
	fails("nobody@app", "secret", "unknown", false)
	fails("away@app", "secret", "", true)
	talk(t, e.open(t, preShared("device@app", "secret")...), "hello")
	if len(told) != 0 {
		t.Errorf("of a session that stands: %+v", <-told)
	}
}

// TestTellsOfAClientThatLeavesWithItsHandshake has a session end when its handshake has succeeded and nobody serves it yet. The test
// has the listener wait at that point by reading its tables.
func TestTellsOfAClientThatLeavesWithItsHandshake(t *testing.T) {
	told := make(chan psk.Failure, 1)
	e := serve(t, DefaultConfig(), Secrets{Failed: func(f psk.Failure) { told <- f }}, false)
	from := &holder{PacketConn: socket(t), hold: sync.OnceFunc(e.Listener.mu.RLock)}
	release := sync.OnceFunc(func() {
		from.hold()
		e.Listener.mu.RUnlock()
	})
	t.Cleanup(release)
	client, err := e.connect(t, from, preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for _, k := range e.beginnings {
		eventually(t, "the handshake to succeed", func() bool { return k.at() == established })
		go func() { _ = k.Close() }() // as pion does when it reads the client's close_notify
		eventually(t, "the end of the session", func() bool { return k.at() == closed })
	}
	release()
	select {
	case f := <-told:
		if !errors.Is(f.Err, errEnded) || string(f.Identity) != "device@app" {
			t.Errorf("the operator is told %+v", f)
		}
	case <-time.After(waitLimit):
		t.Error("nothing is told")
	}
}

// A holder is a client's socket that has somebody held back once the client sends its first encrypted record, its last of the handshake.
type holder struct {
	net.PacketConn
	hold func()
}

// WriteTo sends a datagram of the client's.
func (h *holder) WriteTo(b []byte, to net.Addr) (int, error) {
	if encrypted(b) != nil {
		h.hold()
	}
	return h.PacketConn.WriteTo(b, to)
}
