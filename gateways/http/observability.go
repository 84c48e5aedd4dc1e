package http

import (
	"context"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

type metrics struct {
	requests, retries, refused metric.Int64Counter
	labels                     sync.Map // from labels to metric.MeasurementOption: making one anew takes longer than counting
}

// labels are those of the requests. The functions have few statuses.
type labels struct {
	proven proven
	status string
}

func newMetrics(connections func() int64) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/gateways/http")
	m := &metrics{}
	m.requests, _ = meter.Int64Counter("fairlead.http.requests",
		metric.WithDescription("Requests to the HTTP gateway, by what the client has proven in the TLS handshake (nothing, certificate, psk) and the status of the answer; abandoned: the client did not wait for it."))
	m.retries, _ = meter.Int64Counter("fairlead.http.upstream.retries",
		metric.WithDescription("Attempts to forward a request that were repeated, because nobody took the connection."))
	m.refused, _ = meter.Int64Counter("fairlead.http.connections.refused",
		metric.WithDescription("Connections that were closed unheard, because there were too many."))
	gauge, _ := meter.Int64ObservableGauge("fairlead.http.connections", metric.WithDescription("Connections to the HTTP gateway."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, connections())
		return nil
	}, gauge)
	return m
}

func (m *metrics) answered(p proven, status int) { m.count(labels{p, strconv.Itoa(status)}) }

func (m *metrics) abandoned(p proven) { m.count(labels{p, "abandoned"}) }

func (m *metrics) count(of labels) {
	if of.proven == "" {
		of.proven = provenNothing
	}
	option, ok := m.labels.Load(of)
	if !ok {
		option = metric.WithAttributeSet(attribute.NewSet(attribute.String("proven", string(of.proven)), attribute.String("status", of.status)))
		m.labels.Store(of, option)
	}
	m.requests.Add(context.Background(), 1, option.(metric.MeasurementOption))
}

func (m *metrics) retried() { m.retries.Add(context.Background(), 1) }

func (m *metrics) refusedConnection() { m.refused.Add(context.Background(), 1) }
