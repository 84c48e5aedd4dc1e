package tlspsk

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/tlspsk/openssl"
)

// Bounds of a handshake with a pre-shared key.
const (
	pieceBytes = 4 << 10 // that are read or sent at once; ClientKeyExchange has to fit

	// handshakeBudget is how many bytes a client may send after its ClientHello. It needs some hundred.
	handshakeBudget = 16 << 10
)

// Alerts (RFC 8446 section 6).
const (
	alertHandshakeFailure = 40
	alertInternalError    = 80
)

// Errors of handshakes that OpenSSL does not see.
var (
	errKeyExchange = errors.New("the client's key exchange makes no sense")
	errTooMuch     = errors.New("the client sends more than a handshake needs")
	errUnproven    = errors.New("the client has not proven its pre-shared key")
)

// A shake is a handshake of a client that offers a pre-shared key.
type shake struct {
	listener *Listener
	raw      net.Conn
	session  *openssl.Session
	buffers  *pieces
	input    []byte // what has come and OpenSSL has not taken
	budget   int
	identity []byte
	key      psk.Key
	keyed    bool // the key has been looked up
}

// pieces are the buffers of a handshake.
type pieces struct{ in, out [pieceBytes]byte }

var piecesPool = sync.Pool{New: func() any { return new(pieces) }}

// accept runs the handshake of a client that offers a pre-shared key. early is what has been read from it.
func (l *Listener) accept(ctx context.Context, raw net.Conn, early []byte, h *hello) (*keyConn, error) {
	s := &shake{listener: l, raw: raw, input: early, identity: slices.Clone(h.identity), budget: handshakeBudget}
	conn, err := s.run(ctx, h)
	if err != nil {
		return nil, &psk.Failure{Identity: s.identity, Missing: s.key.Missing, Err: err}
	}
	return conn, nil
}

// run has the client's key looked up where it has named its identity already, and then the handshake computed.
func (s *shake) run(ctx context.Context, h *hello) (*keyConn, error) {
	if s.listener.context == nil {
		s.tell(alertHandshakeFailure)
		return nil, openssl.ErrNotBuilt
	}
	only12 := h.offersOnly12()
	if !only12 {
		if err := s.lookup(ctx); err != nil {
			return nil, err
		}
	}
	session, err := s.listener.context.NewSession(only12)
	if err != nil {
		return nil, err
	}
	s.session = session
	s.listener.metrics.opened()
	conn, err := s.compute(ctx)
	if err != nil {
		session.Free()
		s.listener.metrics.closed()
		return nil, err
	}
	return conn, nil
}

// lookup finds the key of s.identity.
func (s *shake) lookup(ctx context.Context) (err error) {
	s.keyed = true
	s.key, err = s.listener.lookup(ctx, s.identity)
	if err != nil {
		s.tell(alertInternalError)
	}
	return err
}

// tell sends an alert, before anything is encrypted.
func (s *shake) tell(description byte) { _, _ = s.raw.Write(alert(description)) }

// compute takes the handshake to its end.
func (s *shake) compute(ctx context.Context) (*keyConn, error) {
	s.buffers = piecesPool.Get().(*pieces) //nolint:forcetypeassert // the pool holds nothing else
	defer piecesPool.Put(s.buffers)
	if s.keyed {
		if err := s.session.SetKey(s.identity, s.key.ToProve()); err != nil {
			return nil, err
		}
	}
	for {
		step, err := s.step(ctx)
		if step.Produced > 0 {
			if _, problem := s.raw.Write(s.buffers.out[:step.Produced]); problem != nil {
				err = errors.Join(err, problem)
			}
		}
		switch {
		case err != nil:
			return nil, err
		case step.Want == openssl.Input:
			err = s.receive(ctx)
		case step.Want == openssl.End:
			err = io.ErrUnexpectedEOF
		case step.Want == openssl.Nothing:
			return s.finish()
		}
		if err != nil {
			return nil, err
		}
	}
}

// step gives OpenSSL what has come, when there is a place.
func (s *shake) step(ctx context.Context) (openssl.Step, error) {
	if err := enter(ctx, s.listener.computing); err != nil {
		return openssl.Step{}, err
	}
	defer func() { <-s.listener.computing }()
	step, err := s.session.Handshake(s.input, s.buffers.out[:])
	s.input = s.input[step.Consumed:]
	return step, err
}

// receive reads from the client what OpenSSL waits for. All of the input has been taken.
func (s *shake) receive(ctx context.Context) error {
	if !s.keyed {
		return s.receiveIdentity(ctx)
	}
	return s.read(0)
}

// read adds to the first have bytes of the buffer, and makes all of it the input.
func (s *shake) read(have int) error {
	n, err := s.raw.Read(s.buffers.in[have:])
	s.input = s.buffers.in[:have+n]
	if s.budget -= n; s.budget < 0 {
		return errTooMuch
	}
	if n == 0 && err != nil {
		return err
	}
	return nil
}

// receiveIdentity reads the ClientKeyExchange of TLS 1.2 and has the key of the identity in it looked up, before OpenSSL sees it.
func (s *shake) receiveIdentity(ctx context.Context) error {
	message := handshakeMessage{kind: clientKeyExchange}
	for have := 0; ; have = len(s.input) {
		if have == pieceBytes {
			return errKeyExchange
		}
		if err := s.read(have); err != nil {
			return err
		}
		whole, err := message.add(s.input[have:])
		if err != nil {
			return errKeyExchange
		}
		if whole {
			break
		}
	}
	identity, ok := keyExchangeIdentity(message.body())
	if !ok {
		return errKeyExchange
	}
	s.identity = slices.Clone(identity)
	if err := s.lookup(ctx); err != nil {
		return err
	}
	return s.session.SetKey(s.identity, s.key.ToProve())
}

// finish makes the connection of a handshake that is done.
func (s *shake) finish() (*keyConn, error) {
	agreed := s.session.State()
	if !agreed.Proven {
		return nil, errUnproven
	}
	state := State{
		Identity: string(s.identity), Proof: s.key.Proof, Until: s.key.Until,
		Version: agreed.Version, Suite: agreed.Suite, Protocol: agreed.Protocol,
	}
	return newKeyConn(s.raw, s.session, state, slices.Clone(s.input), s.listener.metrics), nil
}
