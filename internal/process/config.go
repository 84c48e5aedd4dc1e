package process

import (
	"errors"
	"fmt"
	"slices"

	"knative.dev/pkg/observability/metrics"
)

// A Config says how much a process tells and to whom.
type Config struct {
	LogLevel        string `doc:"lowest level that is logged: debug, info, warn or error"`
	MetricsProtocol string `doc:"how metrics leave, as in Knative's observability settings: none, prometheus (scraped), grpc or http/protobuf (OTLP)"`
	MetricsEndpoint string `doc:"for prometheus the address host:port to listen on, for OTLP the URL of the collector"`

	TracesProtocol string  `doc:"how traces leave: none, grpc or http/protobuf (OTLP)"`
	TracesEndpoint string  `doc:"URL of the collector of traces"`
	TracesRatio    float64 `doc:"part of all traces that leave, 0 to 1; which ones follows from their ids, so that all processes choose the same, and no device can have its own chosen"`
}

// DefaultConfig logs at info, and exports neither metrics nor traces.
func DefaultConfig() Config {
	return Config{LogLevel: "info", MetricsProtocol: metrics.ProtocolNone, TracesProtocol: protocolNone, TracesRatio: 0.1}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return errors.New("logLevel: must be debug, info, warn or error")
	}
	m := c.metrics()
	if err := m.Validate(); err != nil {
		return fmt.Errorf("metricsProtocol: %w", err)
	}
	return c.validateTraces()
}

func (c *Config) metrics() metrics.Config {
	return metrics.Config{Protocol: c.MetricsProtocol, Endpoint: c.MetricsEndpoint}
}
