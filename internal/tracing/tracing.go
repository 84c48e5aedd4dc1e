package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Names of headers, user properties and extension attributes.
const (
	Parent = "traceparent"
	State  = "tracestate"
)

// The fields of HTTP headers, in the form in which they stand in an http.Header.
const (
	parentField = "Traceparent"
	stateField  = "Tracestate"
)

// Limits of what a device may bring. A longer parent is of a later version, and this is all that such a one would need; the state is what
// a receiver has to take at least (W3C Trace Context section 3.3.1.5).
const (
	maxParent = 128
	maxState  = 512
)

// Names of spans.
const (
	Admission = "admission"
	Pipeline  = "pipeline"
	Kafka     = "kafka"
)

// Remote puts the trace context that a device brought into ctx, if it is one.
func Remote(ctx context.Context, parent, state string) context.Context {
	if parent == "" || len(parent) > maxParent {
		return ctx
	}
	if len(state) > maxState {
		state = ""
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{Parent: parent, State: state})
}

// FromHeader puts the trace context of an HTTP request into ctx. Fields that come more than once are ignored.
func FromHeader(ctx context.Context, h http.Header) context.Context {
	parents := h[parentField]
	if len(parents) != 1 {
		return ctx
	}
	state := ""
	if states := h[stateField]; len(states) == 1 {
		state = states[0]
	}
	return Remote(ctx, parents[0], state)
}

// ToHeader gives an HTTP request the trace context of ctx.
func ToHeader(ctx context.Context, h http.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	}
}

// Of is the trace context of ctx in text; "" for none.
func Of(ctx context.Context) (parent, state string) {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() {
		return "", ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[Parent], carrier[State]
}

// A Tracer makes spans, if the process exports traces.
type Tracer struct{ tracer trace.Tracer }

// New makes a tracer of the provider that the process has installed before.
func New() Tracer {
	provider, exports := otel.GetTracerProvider().(*sdk.TracerProvider)
	if !exports {
		return Tracer{}
	}
	return Tracer{provider.Tracer("github.com/fairlead/fairlead")}
}

// none is what Start returns where nothing is exported.
var none = trace.SpanFromContext(context.Background())

// Start begins a span below that of ctx.
func (t Tracer) Start(ctx context.Context, name string) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, none
	}
	return t.tracer.Start(ctx, name)
}

// StartKafka begins the span of writing a record to a topic.
func (t Tracer) StartKafka(ctx context.Context, topic string) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, none
	}
	return t.tracer.Start(ctx, Kafka, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", topic)))
}

// Receive begins the span of the receipt of a message over a protocol.
func (t Tracer) Receive(ctx context.Context, protocol string) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, none
	}
	return t.tracer.Start(ctx, "receive "+protocol, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("network.protocol.name", protocol)))
}

// End ends a span with what came of it. failed marks what is not the sender's fault.
func End(span trace.Span, outcome string, failed bool) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("outcome", outcome))
		if failed {
			span.SetStatus(codes.Error, outcome)
		}
	}
	span.End()
}
