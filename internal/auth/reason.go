package auth

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A reason says why somebody is not admitted. It goes to the log and to a metric, never to the sender.
type reason string

func (r reason) Error() string { return string(r) }

// The reasons.
const (
	errNoApplication       reason = "unknown application"
	errApplicationDisabled reason = "application disabled"
	errNoDevice            reason = "unknown device"
	errDeviceDisabled      reason = "device disabled"
	errNoCredential        reason = "no credential"
	errCredentials         reason = "stored credentials do not parse"
	errPassword            reason = "wrong password"
	errProof               reason = "credential withdrawn"
	errNoKey               reason = "no valid pre-shared key"
	errAnchors             reason = "trust anchors do not parse"
	errAmbiguous           reason = "two applications trust the key that issued the certificate, and the client names none"
	errCertificate         reason = "certificate not acceptable"
	errGateway             reason = "gateway without permission"
)

// Limits of what refusals may write to the log: lines of the same text in a second, then one of so many, and bytes of
// a presented name.
const (
	logFirst      = 10
	logThereafter = 1000
	logName       = 128
)

// refusalLog is a log whose lines are bounded in number.
func refusalLog(log *zap.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, logFirst, logThereafter)
	}))
}

func clip(name string) string {
	if len(name) <= logName {
		return name
	}
	return name[:logName] + "…"
}
