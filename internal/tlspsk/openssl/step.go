package openssl

import "errors"

// A Want is what a session needs to go on.
type Want int

// The wants.
const (
	Nothing Want = iota // the call is done
	Input               // more from the client
	Room                // the output to be sent, and the same call again
	End                 // nothing: the client has ended the session with a close_notify
)

// A Step is what one call has come to. Output is to be sent even if there is an error.
type Step struct {
	Consumed int // bytes of the input
	Produced int // bytes of the output
	Done     int // bytes that were decrypted or encrypted
	Want     Want
}

// ErrNotBuilt is the error of a program without the build tag psk.
var ErrNotBuilt = errors.New("this program was built without pre-shared keys for TLS")

// A State is what a handshake has agreed on.
type State struct {
	Version  uint16 // as crypto/tls has it
	Suite    uint16
	Protocol string // of ALPN; "" if none was agreed on
	Proven   bool   // the client has proven the key of SetKey, and that is what the session rests on
}
