package process

import (
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/zap/zapcore"
)

// FormatMiddlewareLog gives what Knative's function middleware logs, by the global settings of zerolog, the format of
// Logger, and the level of the configuration.
func FormatMiddlewareLog(level string) {
	parsed, err := zerolog.ParseLevel(level) // by the names that the settings below change
	if err != nil || level == "" {
		parsed = zerolog.InfoLevel
	}
	zerolog.SetGlobalLevel(parsed)
	zerolog.LevelFieldName, zerolog.TimestampFieldName, zerolog.MessageFieldName = LogSeverity, LogTimestamp, LogMessage
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	zerolog.LevelFieldMarshalFunc = severityOf
}

// severityOf is the name of a level of zerolog.
func severityOf(l zerolog.Level) string {
	if l <= zerolog.DebugLevel {
		return severities[zapcore.DebugLevel]
	}
	switch l {
	case zerolog.InfoLevel:
		return severities[zapcore.InfoLevel]
	case zerolog.WarnLevel:
		return severities[zapcore.WarnLevel]
	case zerolog.PanicLevel:
		return severities[zapcore.PanicLevel]
	case zerolog.FatalLevel:
		return severities[zapcore.FatalLevel]
	default:
		return severities[zapcore.ErrorLevel]
	}
}
