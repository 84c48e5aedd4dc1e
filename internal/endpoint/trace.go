package endpoint

import (
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead/fairlead/internal/tracing"
)

// Trace begins the span of a request over a protocol, below the trace context that the request brings. The span
// ends when the request is answered.
func Trace(r *http.Request, protocol string) (traced *http.Request, span trace.Span) {
	ctx, span := tracing.New().Receive(tracing.FromHeader(r.Context(), r.Header), protocol)
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	return r, span
}
