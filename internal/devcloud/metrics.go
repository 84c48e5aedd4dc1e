package devcloud

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/fairlead/fairlead/internal/process"
)

// newMetrics installs a meter provider, which all packages use from now on, and returns where Prometheus finds it.
func newMetrics() (http.Handler, func(context.Context) error, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, fmt.Errorf("making the metrics exporter: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(process.Resource("fairlead-dev")))
	otel.SetMeterProvider(provider)
	if err := process.MeasureRuntime(provider); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux, provider.Shutdown, nil
}
