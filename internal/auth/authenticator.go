package auth

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// An Authenticator admits devices. Its errors carry an outcome: outcome.Unauthenticated, whatever the reason to refuse;
// outcome.Forbidden from AuthorizeAs; outcome.Unavailable when no decision can be had; outcome.Overloaded when a bound
// on concurrent work was hit.
type Authenticator interface {
	// Authenticate decides whether a credential admits a device and, with Request.As, whether it may act for another.
	Authenticate(ctx context.Context, request Request) (*Session, error)
	// AuthorizeAs decides whether the device of a session may act for another one, which is named by name or alias.
	// For its own name it returns the session's own device.
	AuthorizeAs(ctx context.Context, session *Session, device string) (*registry.Device, error)
	// PreSharedKey finds the key that a device is to prove. No key is outcome.Unauthenticated.
	PreSharedKey(ctx context.Context, application, device string) (Key, error)
}

// A Request asks whether a credential admits a device of an application, and whether that device may act as another.
type Request struct {
	Application string // name, or subject of a trust anchor
	Device      string // name or alias
	Credential  Credential
	As          string // name or alias of the device to act for; "" is the device itself
	Remote      string // address of the sender without port, to slow guessing down; "" if not known
	Protocol    string // what the sender speaks, for metrics; "" if not known
	// Renewal says that the sender was admitted before, and is asked about again because its session was revoked. That is
	// no guess of somebody outside, who learns nothing of the answer's time: it is neither held back nor counted. See
	// Session.Renew.
	Renewal bool
}

// A Session is an admitted device. It holds no secrets: its documents lack every section with credentials. It is shared
// between requests and never changed.
type Session struct {
	Application *registry.Application
	Device      *registry.Device // who proved itself: the sender
	As          *registry.Device // on whose behalf; nil for itself
	// Revoked is closed as soon as a document that the decision rested on changes. Who holds the session then asks
	// again, or ends what it is doing. It is nil for a session that nobody watches. It works for as long as the Session
	// itself is held: who waits for Revoked keeps the Session too, not only the channel.
	Revoked <-chan struct{}

	until time.Time // when a certificate or a pre-shared key ends; zero is never
	proof Proof     // of the credential that was presented; "" if none was issued
	watch *watch    // keeps Revoked working; nil for a session that nobody watches
}

// Target is the device that a message of this session is about.
func (s *Session) Target() *registry.Device {
	if s.As != nil {
		return s.As
	}
	return s.Device
}

// OnRevoked has a function called once when Revoked is closed, at once if it is closed already, for holders of many
// sessions that have no goroutine for each. The function must return soon. It is called for as long as the Session itself
// is held. stop takes the function back, and tells whether it came in time. A session that nobody watches never calls.
func (s *Session) OnRevoked(call func()) (stop func() bool) {
	if s.watch == nil {
		return func() bool { return true }
	}
	return s.watch.onRevoke(call)
}

// Until is when the certificate or the pre-shared key ends with which the device logged in; zero is never.
func (s *Session) Until() time.Time { return s.until }

// Proof names the stored credential that the device has proven; "" if that is a certificate, or if nobody issued one.
func (s *Session) Proof() Proof { return s.proof }

// Renew turns the request that a session was admitted with into the one to ask with again. It holds no password: a proof
// stands in its place. A certificate chain, which is no secret, stays. Where no proof was issued the device has to log in
// anew: the request is refused.
func (s *Session) Renew(r Request) Request {
	switch r.Credential.(type) {
	case CertificateChain, Vouched:
	default:
		r.Credential = s.proof
	}
	r.Renewal = true
	return r
}

// A Key is a pre-shared key with the documents that it belongs to. Its key never appears in text.
type Key struct {
	Secret      []byte
	Proof       Proof              // admits who has proven this key
	Validity    *registry.Validity // nil: always valid
	Application *registry.Application
	Device      *registry.Device
}

// String keeps the secret out of logs.
func (Key) String() string { return "pre-shared key" }

// GoString keeps the secret out of logs.
func (Key) GoString() string { return "pre-shared key" }

// ValidAt tells whether the key may be used at that moment.
func (k Key) ValidAt(t time.Time) bool { return k.Validity == nil || k.Validity.Contains(t) }
