package dtls

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/pion/dtls/v3/pkg/protocol/alert"

	"github.com/fairlead/fairlead/internal/psk"
)

// TestTellsAnotherKeyAtOnce has clients with another key than their identity has, and with an identity that has none. Each is told
// while there is still time for its handshake, and so is the operator. It also holds that pion says what the handshakeLog waits for.
func TestTellsAnotherKeyAtOnce(t *testing.T) {
	told := make(chan psk.Failure, 2)
	c := DefaultConfig()
	c.HandshakeTimeout = 10 * waitLimit
	e := serve(t, c, Secrets{Failed: func(f psk.Failure) { told <- f }}, false)
	for _, identity := range []string{"device@app", "nobody@app"} {
		_, err := e.connect(t, socket(t), preShared(identity, "wrong")...)
		if err == nil || !strings.Contains(err.Error(), alert.DecryptError.String()) {
			t.Errorf("%s: the client is told %v", identity, err)
		}
		if f := <-told; string(f.Identity) != identity || !errors.Is(f.Err, psk.ErrOtherKey) {
			t.Errorf("%s: the operator is told %+v", identity, f)
		}
	}
	talk(t, e.open(t, preShared("device@app", "secret")...), "hello")
}

// TestAForgedFinishedEndsNothing has somebody send a record in a client's name that the client's key does not open, while the
// client's own gets lost. The client gets in with its repetition.
func TestAForgedFinishedEndsNothing(t *testing.T) {
	told := make(chan psk.Failure, 1)
	e := serve(t, DefaultConfig(), Secrets{Failed: func(f psk.Failure) { told <- f }}, false)
	from := &forger{PacketConn: socket(t)}
	client, err := e.connect(t, from, preShared("device@app", "secret")...)
	if err != nil || !from.forged {
		t.Fatalf("forged: %v; %v", from.forged, err)
	}
	defer func() { _ = client.Close() }()
	talk(t, client, "hello")
	if e.of(t, client).link.doubted.Load() == 0 || len(told) != 0 {
		t.Error("the forged record was not looked at, or is told of")
	}
}

// A forger is a client's socket that sends a forged record in place of the first encrypted one. Pion writes one datagram at a time.
type forger struct {
	net.PacketConn
	forged bool
}

// WriteTo sends a datagram of the client's.
func (f *forger) WriteTo(b []byte, to net.Addr) (int, error) {
	if record := encrypted(b); record != nil && !f.forged {
		clear(record)
		f.forged = true
	}
	return f.PacketConn.WriteTo(b, to)
}

// encrypted is what the first encrypted record in a datagram holds, nil if there is none.
func encrypted(b []byte) []byte {
	for len(b) >= headerBytes {
		size := headerBytes + int(binary.BigEndian.Uint16(b[headerBytes-2:]))
		if epoch := binary.BigEndian.Uint16(b[3:]); epoch > 0 {
			return b[headerBytes:size]
		}
		b = b[size:]
	}
	return nil
}
