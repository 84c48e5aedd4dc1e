package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	c := DefaultConfig()
	log := newLogger(c, zapcore.AddSync(&out))
	log.Debug("not to be seen")
	log.Warn("kafka is away", zap.Error(errors.New("refused")), zap.Duration("after", 2*time.Second))
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if _, err := time.Parse(time.RFC3339Nano, line["timestamp"]); err != nil {
		t.Error(err)
	}
	if line["severity"] != "WARNING" || line["message"] != "kafka is away" || line["error"] != "refused" || line["after"] != "2s" || line["caller"] == "" {
		t.Errorf("line %v", line)
	}
}

func TestLoggerSamplesRepeatedLines(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(DefaultConfig(), zapcore.AddSync(&out))
	for range 1000 {
		log.Warn("the same")
	}
	if lines := bytes.Count(out.Bytes(), []byte("\n")); lines < samplerFirst || lines > 500 {
		t.Errorf("%d lines of 1000", lines)
	}
}

// TestMiddlewareLogsAlike has zerolog, which Knative's function middleware logs with, write what Logger writes.
func TestMiddlewareLogsAlike(t *testing.T) {
	FormatMiddlewareLog("warn")
	var out bytes.Buffer
	log := zerolog.New(&out).With().Timestamp().Logger()
	log.Info().Msg("not to be seen")
	log.Error().Err(errors.New("refused")).Msg("function error")
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if _, err := time.Parse(time.RFC3339Nano, line["timestamp"]); err != nil {
		t.Error(err)
	}
	if line["severity"] != "ERROR" || line["message"] != "function error" || line["error"] != "refused" {
		t.Errorf("line %v", line)
	}
}
