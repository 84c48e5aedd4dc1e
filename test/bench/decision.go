package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/registry"
)

const (
	// maxDecision is the target for a decision that is in the cache.
	maxDecision = 2 * time.Microsecond

	// loginsAtOnce and loginsAfter ask with one credential, of which a hash may be computed once.
	loginsAtOnce = connections
	loginsAfter  = 10_000

	// hashMetric is recorded once for each password hash that internal/auth computes.
	hashMetric = "fairlead.auth.hash.duration"
)

// measureDecision asks the layers of authentication that a function has, with documents in memory behind them.
func measureDecision(ctx context.Context, s *scene) ([]row, error) {
	metrics := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(metrics)))
	defer otel.SetMeterProvider(noop.NewMeterProvider())
	stored, err := benchHashes()
	if err != nil {
		return nil, err
	}
	device, err := benchDevice(0, stored[0])
	if err != nil {
		return nil, err
	}
	c := auth.DefaultConfig()
	service := auth.NewService(c.Service, &documentSource{benchApplication(), device}, nil)
	door := auth.NewSteady(c.Steady, auth.NewCache(c.Cache, service))
	request, err := auth.FromHTTP(basicAuthorization(benchUser(0), benchPassword), "", "")
	if err != nil {
		return nil, err
	}
	first, err := logIns(ctx, door, request)
	if err != nil {
		return nil, err
	}
	hashes, err := recorded(ctx, metrics, hashMetric)
	if err != nil {
		return nil, err
	}
	cached, err := benchmark(s.size.benchtime, func() { _, _ = door.Authenticate(ctx, request) })
	if err != nil {
		return nil, err
	}
	took := time.Duration(float64(cached.T) / float64(cached.N))
	return []row{
		{
			figure: "from the cache", value: nanoseconds(cached), span: allocations(cached),
			target: fmt.Sprintf("under %d ns", maxDecision.Nanoseconds()), holds: took < maxDecision,
		},
		{figure: "the first, bcrypt of cost " + fmt.Sprint(bcryptCost), value: millis(first)},
		{
			figure: fmt.Sprintf("hashes for %d log-ins with one credential", loginsAtOnce+loginsAfter), value: fmt.Sprint(hashes),
			target: "exactly 1", holds: hashes == 1,
		},
	}, nil
}

// logIns asks many times with one credential, first all at once, and tells how long those took.
func logIns(ctx context.Context, devices auth.Authenticator, request auth.Request) (first time.Duration, err error) {
	began := time.Now()
	problems := make([]error, loginsAtOnce)
	var wait sync.WaitGroup
	for i := range problems {
		wait.Go(func() { _, problems[i] = devices.Authenticate(ctx, request) })
	}
	wait.Wait()
	first = time.Since(began)
	for range loginsAfter {
		_, err := devices.Authenticate(ctx, request)
		problems = append(problems, err)
	}
	for _, err := range problems {
		if err != nil {
			return 0, fmt.Errorf("logging in: %w", err)
		}
	}
	return first, nil
}

// recorded counts the values of a histogram.
func recorded(ctx context.Context, from sdk.Reader, name string) (count uint64, err error) {
	var all metricdata.ResourceMetrics
	if err := from.Collect(ctx, &all); err != nil {
		return 0, fmt.Errorf("collecting metrics: %w", err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if values, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, point := range values.DataPoints {
					count += point.Count
				}
				return count, nil
			}
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// A documentSource holds one application with one device.
type documentSource struct {
	application *registry.Application
	device      *registry.Device
}

var _ auth.Registry = (*documentSource)(nil)

func (s *documentSource) Application(_ context.Context, alias string) (*registry.Application, error) {
	if alias != s.application.Metadata.Name {
		return nil, registry.ErrNotFound
	}
	return s.application, nil
}

func (*documentSource) Anchored(context.Context, string) ([]string, error) { return nil, nil }

func (s *documentSource) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	if application != s.application.Metadata.Name || alias != s.device.Metadata.Name {
		return nil, registry.ErrNotFound
	}
	return s.device, nil
}
