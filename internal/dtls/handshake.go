package dtls

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pion/dtls/v3"

	"github.com/fairlead/fairlead/internal/psk"
)

// suites are what a client can choose from: AEAD only, with forward secrecy or with a pre-shared key. Those of RSA are for
// servers whose certificate is of that kind.
func suites() []dtls.CipherSuiteID {
	return append([]dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	}, preSharedSuites()...)
}

// preSharedSuites are those with a pre-shared key. They are taken wherever a client offers them.
func preSharedSuites() []dtls.CipherSuiteID {
	return []dtls.CipherSuiteID{
		dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
		dtls.TLS_PSK_WITH_AES_128_CCM,
		dtls.TLS_PSK_WITH_AES_128_CCM_8,
		dtls.TLS_PSK_WITH_AES_256_CCM_8,
	}
}

// errEnded is the error of a handshake that has succeeded when its link had ended, as with a client that leaves at once.
var errEnded = errors.New("the session ended with its handshake")

// handshake runs a link's handshake. There is no session if it does not succeed.
func (l *Listener) handshake(k *link) *Conn {
	conn, err := dtls.ServerWithOptions(k, k.remote(), l.options(k)...)
	if err != nil {
		l.metrics.finish(handshakeFailed)
		return nil
	}
	k.mu.Lock()
	k.conn = conn
	k.mu.Unlock()
	err = conn.HandshakeContext(k.ctx)
	if err == nil && !l.establish(k) {
		err = errEnded
	}
	if err != nil {
		if k.disproved.Load() {
			err = k.disprove()
		}
		l.metrics.finish(resultOf(k, err))
		_ = conn.Close()
		l.tell(k, err)
		return nil
	}
	k.cancel()
	l.metrics.finish(handshakeDone)
	state, ok := conn.ConnectionState()
	if !ok {
		k.end()
		return nil
	}
	return &Conn{link: k, conn: conn, identity: state.IdentityHint, chain: state.PeerCertificates}
}

// tell tells of a handshake that failed, unless it is we who gave it up.
func (l *Listener) tell(k *link, err error) {
	if l.secrets.Failed == nil || k.givenUp.Load() || !k.owned.Load() || l.ctx.Err() != nil {
		return
	}
	f := k.failure
	f.Remote, f.Err = k.remote().Remote, err
	if k.undecided != nil {
		f.Err = psk.Undecided(k.undecided)
	}
	l.secrets.Failed(f)
}

// resultOf tells why there is no session.
func resultOf(k *link, err error) handshakeResult {
	switch {
	case errors.Is(err, psk.ErrOtherKey):
		return handshakeDisproved
	case errors.Is(err, context.DeadlineExceeded):
		return handshakeTimeout
	case k.at() == closed:
		return handshakeGone
	default:
		return handshakeFailed
	}
}

// options are pion's, for one handshake.
func (l *Listener) options(k *link) []dtls.ServerOption {
	options := []dtls.ServerOption{
		dtls.WithPSK(k.key),
		dtls.WithCipherSuites(suites()...),
		dtls.WithClientAuth(dtls.RequestClientCert),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithConnectionIDGenerator(k.newConnectionID),
		dtls.WithLoggerFactory(handshakeLog{link: k}),
	}
	if l.secrets.Certificate != nil {
		options = append(options, dtls.WithGetCertificate(l.certificate))
	}
	if l.config.Resumable > 0 {
		options = append(options, dtls.WithSessionStore(l.store))
	}
	return options
}

// certificate is asked by pion for the server's certificate when the client prefers a suite that needs one. A client that
// offers a pre-shared key as well has one, and need not have a certificate of its own, as many libraries offer whatever they
// can: it gets a certificate that fits no suite, so that pion goes on to the suites with a pre-shared key.
func (l *Listener) certificate(hello *dtls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.ContainsFunc(hello.CipherSuites, isPreShared) {
		return &tls.Certificate{PrivateKey: unfit{}}, nil
	}
	return l.secrets.Certificate()
}

// isPreShared tells whether a suite is one of ours that has a pre-shared key.
func isPreShared(suite dtls.CipherSuiteID) bool { return slices.Contains(preSharedSuites(), suite) }

// unfit is a private key of no kind that a suite asks for.
type unfit struct{}

var _ crypto.Signer = unfit{}

// Public is the other half, which there is not.
func (unfit) Public() crypto.PublicKey { return nil }

// Sign is never called.
func (unfit) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("this key signs nothing")
}

// key is asked by pion for the key of an identity. It never says that there is none.
func (k *link) key(identity []byte) ([]byte, error) {
	key, err := k.listener.secrets.Key(k.ctx, identity)
	k.failure.Identity, k.failure.Missing, k.undecided = slices.Clone(identity), key.Missing, err
	if err != nil {
		return nil, fmt.Errorf("looking up a pre-shared key: %w", err)
	}
	k.until, k.proof = key.Until, key.Proof
	k.keyed.Store(true)
	return key.ToProve(), nil
}
