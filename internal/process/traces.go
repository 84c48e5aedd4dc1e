package process

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// How traces leave, the values of Config.TracesProtocol; they are those of Knative's observability settings.
const (
	protocolNone = "none"
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

func (c *Config) validateTraces() error {
	switch {
	case !slices.Contains([]string{protocolNone, protocolGRPC, protocolHTTP}, c.TracesProtocol):
		return errors.New("tracesProtocol: must be none, grpc or http/protobuf")
	case c.TracesRatio < 0 || c.TracesRatio > 1:
		return errors.New("tracesRatio: must lie between 0 and 1")
	case c.TracesProtocol == protocolNone:
		return nil
	}
	u, err := url.Parse(c.TracesEndpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("tracesEndpoint: must be the http:// or https:// URL of a collector")
	}
	return nil
}

// newTracerProvider is nil if no traces leave.
func newTracerProvider(ctx context.Context, c Config, r *resource.Resource) (*trace.TracerProvider, error) {
	var exporter trace.SpanExporter
	var err error
	switch c.TracesProtocol {
	case protocolGRPC:
		exporter, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(c.TracesEndpoint))
	case protocolHTTP:
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.TracesEndpoint))
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("starting the export of traces: %w", err)
	}
	return trace.NewTracerProvider(trace.WithResource(r), trace.WithBatcher(exporter), trace.WithSampler(sampler(c.TracesRatio))), nil
}

// sampler chooses by the id of a trace, whatever a device says of its own trace: a flag in a packet must not fill the
// collector. Spans within a process follow the first one.
func sampler(ratio float64) trace.Sampler {
	byID := trace.TraceIDRatioBased(ratio)
	return trace.ParentBased(byID, trace.WithRemoteParentSampled(byID), trace.WithRemoteParentNotSampled(byID))
}
