package endpoint

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/tracing"
)

// Trace begins the span of a request over a protocol, below the trace context that the request brings. end is called when the
// request is answered.
func Trace(r *http.Request, protocol string) (traced *http.Request, end func()) {
	ctx, span := tracing.New().Receive(tracing.FromHeader(r.Context(), r.Header), protocol)
	return r.WithContext(ctx), func() { span.End() }
}
