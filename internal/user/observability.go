package user

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

const meterName = "github.com/fairlead/fairlead/internal/user"

// metrics count who is admitted and why others are not. Labels hold nothing that callers choose.
type metrics struct {
	decisions, refusals, fetches metric.Int64Counter
}

// newMetrics reads the number of hits and of entries of the verified tokens when metrics are collected.
func newMetrics(hits, entries func() int64) *metrics {
	meter := otel.Meter(meterName)
	m := &metrics{}
	m.decisions, _ = meter.Int64Counter("fairlead.user.authentications",
		metric.WithDescription("Requests of users and services by kind of credential and outcome."))
	m.refusals, _ = meter.Int64Counter("fairlead.user.refusals",
		metric.WithDescription("Credentials that were not taken, by reason."))
	m.fetches, _ = meter.Int64Counter("fairlead.user.keys.fetches",
		metric.WithDescription("Requests for the keys of an OpenID provider, by provider and result."))
	hit, _ := meter.Int64ObservableCounter("fairlead.user.verified.hits", metric.WithDescription("Tokens that were verified before."))
	size, _ := meter.Int64ObservableGauge("fairlead.user.verified.entries", metric.WithDescription("Verified tokens that are remembered."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(hit, hits())
		o.ObserveInt64(size, entries())
		return nil
	}, hit, size)
	return m
}

func (m *metrics) decided(c Credential, err error) {
	m.decisions.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("kind", kindOf(c)), attribute.String("outcome", outcome.Of(err).String())))
	if r := reasonOf(err); r != "" {
		m.refusals.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", string(r))))
	}
}

func (m *metrics) fetched(provider string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.fetches.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("provider", provider), attribute.String("result", result)))
}

// kindOf is what metrics call the kind of a credential.
func kindOf(c Credential) string {
	switch c.(type) {
	case nil:
		return "none"
	case AccessToken:
		return "access_token"
	default:
		return "bearer"
	}
}
