package process

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/observability/metrics"
)

// A Config says how much a process tells and to whom.
type Config struct {
	LogLevel        string `doc:"lowest level that is logged: debug, info, warn or error"`
	MetricsProtocol string `doc:"how metrics leave, as in Knative's observability settings: none, prometheus (scraped), grpc or http/protobuf (OTLP)"`
	MetricsEndpoint string `doc:"for prometheus the address host:port to listen on, for OTLP the URL of the collector"`
}

// DefaultConfig logs at info and exports no metrics.
func DefaultConfig() Config { return Config{LogLevel: "info", MetricsProtocol: metrics.ProtocolNone} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return errors.New("logLevel: must be debug, info, warn or error")
	}
	m := c.metrics()
	if err := m.Validate(); err != nil {
		return fmt.Errorf("metricsProtocol: %w", err)
	}
	return nil
}

func (c *Config) metrics() metrics.Config {
	return metrics.Config{Protocol: c.MetricsProtocol, Endpoint: c.MetricsEndpoint}
}

// Logger makes a structured JSON logger on standard error. Repeated lines are sampled: of lines with the same text, 100
// a second and then every hundredth, so that a flood of refusals cannot fill a disk.
func Logger(c Config) *zap.Logger {
	sampled := zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, samplerTick, samplerFirst, samplerThereafter)
	})
	sugared, _ := logging.NewLogger("", c.LogLevel, sampled)
	return sugared.Desugar()
}

// Metrics installs the process's meter provider. Shutdown of what it returns flushes and stops it.
func Metrics(ctx context.Context, c Config) (shutdown func(context.Context) error, err error) {
	provider, err := metrics.NewMeterProvider(ctx, c.metrics())
	if err != nil {
		return nil, fmt.Errorf("starting the export of metrics: %w", err)
	}
	otel.SetMeterProvider(provider)
	return provider.Shutdown, nil
}
