package auth

import "github.com/fairlead/fairlead/internal/outcome"

// A reason says why somebody is not admitted. It goes to the log and to a metric, never to the sender.
type reason string

func (r reason) Error() string { return string(r) }

// The reasons.
const (
	errNoApplication       reason = "unknown application"
	errApplicationDisabled reason = "application disabled"
	errNoDevice            reason = "unknown device"
	errDeviceDisabled      reason = "device disabled"
	errNotRegistered       reason = "unknown device, which the registry does not register"
	errNoCredential        reason = "no credential"
	errCredentials         reason = "stored credentials do not parse"
	errPassword            reason = "wrong password"
	errProof               reason = "credential withdrawn"
	errNoKey               reason = "no valid pre-shared key"
	errAnchors             reason = "trust anchors do not parse"
	errAmbiguous           reason = "several applications trust the key that issued the certificate, and the client names none"
	errCertificate         reason = "certificate not acceptable"
	errGateway             reason = "gateway without permission"
	errNoTarget            reason = "unknown device to act for"
	errTargetDisabled      reason = "device to act for disabled"
	errExhausted           reason = "too many failures before; the credential was not looked at"
)

// logName is how many bytes of a presented name refusals may write to the log.
const logName = 128

// refusedFor is the one error for every reason, with the reason as its cause: for the operator, never for the sender.
func refusedFor(r reason) error { return outcome.Wrap(outcome.Unauthenticated, "", r) }
