package refusal

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/internal/outcome"
)

// Limits of what refusals may write to a log: lines of the same text in a second, then one of so many.
const (
	logFirst      = 10
	logThereafter = 1000
)

// Sampled is a log whose lines are bounded in number, so that a flood of refusals cannot fill a disk. nil logs nothing.
func Sampled(log *zap.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, logFirst, logThereafter)
	}))
}

// A Log takes reports. nil takes them and does nothing.
type Log struct {
	log     *zap.Logger
	observe func(Report)
	metrics *metrics
}

// NewLog makes a Log that writes a structured line for each report, as long as they are not too many, and hands every one to
// observe, which must return soon. Both may be nil.
func NewLog(log *zap.Logger, observe func(Report)) *Log {
	sampled := Sampled(log).Named("refusal").WithOptions(zap.WithCaller(false))
	return &Log{log: sampled, observe: observe, metrics: newMetrics()}
}

// Report tells of one refusal. Texts of the report may be borrowed.
func (l *Log) Report(r Report) {
	if l == nil {
		return
	}
	l.metrics.count(r)
	// The text tells protocols and outcomes apart, since lines of the same text are sampled.
	text := "refused: " + Protocol(r.Protocol) + ", " + r.Outcome.String()
	line := l.log.Check(levelOf(r.Outcome), text)
	if line == nil && l.observe == nil {
		return
	}
	r = r.bounded()
	if line != nil {
		line.Write(zap.String("protocol", r.Protocol), zap.String("where", r.Where), zap.String("application", r.Application),
			zap.String("device", r.Device), zap.String("as", r.As), zap.String("remote", r.Remote),
			zap.Stringer("outcome", r.Outcome), zap.String("answer", r.Answer), zap.String("reason", r.Reason))
	}
	if l.observe != nil {
		l.observe(r)
	}
}

// levelOf is higher for what the operator may have to do something about.
func levelOf(o outcome.Outcome) zapcore.Level {
	switch o {
	case outcome.Internal, outcome.Overloaded, outcome.Unavailable:
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}
