package process

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"knative.dev/pkg/observability/metrics"
)

// Observe installs the meter and the tracer provider of the process, under the name of its service, such as
// fairlead-telemetry, and measures Go's runtime. shutdown exports what is left.
func Observe(ctx context.Context, c Config, service string) (shutdown func(context.Context) error, err error) {
	r := Resource(service)
	meters, err := metrics.NewMeterProvider(ctx, c.metrics(), sdkmetric.WithResource(r))
	if err != nil {
		return nil, fmt.Errorf("starting the export of metrics: %w", err)
	}
	tracers, err := newTracerProvider(ctx, c, r)
	if err != nil {
		return nil, errors.Join(err, meters.Shutdown(ctx))
	}
	otel.SetMeterProvider(meters)
	if err := MeasureRuntime(meters); err != nil {
		return nil, errors.Join(err, meters.Shutdown(ctx))
	}
	if tracers == nil {
		return meters.Shutdown, nil
	}
	otel.SetTracerProvider(tracers)
	return func(ctx context.Context) error { return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx)) }, nil
}

// MeasureRuntime measures memory, goroutines and garbage collection of the process.
func MeasureRuntime(meters metric.MeterProvider) error {
	if err := runtime.Start(runtime.WithMeterProvider(meters)); err != nil {
		return fmt.Errorf("measuring the runtime: %w", err)
	}
	return nil
}

// Resource says whose metrics and traces these are: service.name, service.version and service.instance.id. The variables
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before it.
func Resource(service string) *resource.Resource {
	own := []attribute.KeyValue{attribute.String("service.name", service), attribute.String("service.namespace", "fairlead")}
	if version := Version(); version != "" {
		own = append(own, attribute.String("service.version", version))
	}
	if host, err := os.Hostname(); err == nil {
		own = append(own, attribute.String("service.instance.id", host))
	}
	r, err := resource.Merge(resource.NewSchemaless(own...), resource.Environment())
	if err != nil {
		return resource.NewSchemaless(own...) // what the variables say does not parse
	}
	return r
}
