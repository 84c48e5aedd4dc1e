package devcloud

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo makes the logger of the functions write to the one of the user. What they say below a warning is for operators
// of clusters.
func zapTo(logger *slog.Logger) *zap.Logger { return zap.New(core{logger}) }

// A core is a zapcore.Core that hands everything on.
type core struct{ logger *slog.Logger }

var _ zapcore.Core = core{}

// Enabled lets warnings and errors through.
func (core) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With adds fields.
func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{c.logger.With(arguments(fields)...)}
}

// Check says whether the core wants an entry.
func (c core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write hands an entry on.
func (c core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelWarn
	if entry.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	c.logger.Log(context.Background(), level, entry.Message, arguments(fields)...)
	return nil
}

// Sync has nothing to do.
func (core) Sync() error { return nil }

func arguments(fields []zapcore.Field) []any {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	all := make([]any, 0, len(encoder.Fields))
	for name, value := range encoder.Fields {
		all = append(all, slog.Any(name, value))
	}
	return all
}
