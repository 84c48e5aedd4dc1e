package process

import (
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The fields of every log line, and the names of the levels, are those of Knative's components.
const (
	LogSeverity  = "severity"
	LogTimestamp = "timestamp"
	LogMessage   = "message"
)

// severities are the names of the levels in a log line.
var severities = map[zapcore.Level]string{
	zapcore.DebugLevel: "DEBUG", zapcore.InfoLevel: "INFO", zapcore.WarnLevel: "WARNING", zapcore.ErrorLevel: "ERROR",
	zapcore.DPanicLevel: "CRITICAL", zapcore.PanicLevel: "ALERT", zapcore.FatalLevel: "EMERGENCY",
}

// Logger makes a structured JSON logger on standard error. Repeated lines are sampled: of lines with the same text, 100
// a second and then every hundredth, so that a flood of refusals cannot fill a disk. What libraries log goes there, too.
func Logger(c Config) *zap.Logger {
	log := newLogger(c, zapcore.Lock(os.Stderr))
	logLibraries(log)
	return log
}

func newLogger(c Config, out zapcore.WriteSyncer) *zap.Logger {
	level, err := zapcore.ParseLevel(c.LogLevel)
	if err != nil {
		level = zapcore.InfoLevel // Validate has refused it
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		LevelKey: LogSeverity, TimeKey: LogTimestamp, MessageKey: LogMessage, NameKey: "logger", CallerKey: "caller", StacktraceKey: "stacktrace",
		EncodeLevel:    func(l zapcore.Level, e zapcore.PrimitiveArrayEncoder) { e.AppendString(severities[l]) },
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
		EncodeCaller:   zapcore.ShortCallerEncoder,
	})
	core := zapcore.NewSamplerWithOptions(zapcore.NewCore(encoder, out, level), samplerTick, samplerFirst, samplerThereafter)
	return zap.New(core, zap.AddCaller(), zap.AddStacktrace(zapcore.DPanicLevel))
}
