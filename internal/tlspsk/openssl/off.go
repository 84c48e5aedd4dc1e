//go:build !psk

package openssl

// Available tells whether the program was built with OpenSSL.
const Available = false

// A Context is what sessions have in common. Without OpenSSL there is none.
type Context struct{}

// NewContext fails with ErrNotBuilt.
func NewContext([]string) (*Context, error) { return nil, ErrNotBuilt }

// Close does nothing.
func (*Context) Close() {}

// NewSession fails with ErrNotBuilt.
func (*Context) NewSession(bool) (*Session, error) { return nil, ErrNotBuilt }

// A Session is one connection. Without OpenSSL there is none.
type Session struct{}

// SetKey fails with ErrNotBuilt.
func (*Session) SetKey(_, _ []byte) error { return ErrNotBuilt }

// Handshake fails with ErrNotBuilt.
func (*Session) Handshake(_, _ []byte) (Step, error) { return Step{}, ErrNotBuilt }

// Read fails with ErrNotBuilt.
func (*Session) Read(_, _, _ []byte) (Step, error) { return Step{}, ErrNotBuilt }

// Write fails with ErrNotBuilt.
func (*Session) Write(_, _ []byte) (Step, error) { return Step{}, ErrNotBuilt }

// Shutdown yields nothing to send.
func (*Session) Shutdown([]byte) Step { return Step{} }

// State is that of no session.
func (*Session) State() State { return State{} }

// Free does nothing.
func (*Session) Free() {}
