package endpoint

import (
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/tracing"
)

// Admit authenticates the device of a request, which speaks for q.As if that is not "". A request whose log-in cannot be
// read goes to the authenticator all the same, as one that nobody answers to, so that it is refused like every other.
func Admit(r *http.Request, q Query, devices auth.Authenticator, timeout time.Duration) (*auth.Session, error) {
	authorization, single := header.Single(r.Header, header.Authorization)
	request, err := auth.FromHTTP(authorization, q.Application, q.Device)
	if err != nil || !single {
		request = auth.Request{}
	}
	request.As = q.As
	request.Remote = remote(r)
	traced, span := tracing.New().Start(r.Context(), tracing.Admission)
	ctx := newPatience(traced, timeout)
	defer ctx.cancel()
	session, err := devices.Authenticate(ctx, request)
	o := outcome.Of(err)
	tracing.End(span, o.String(), o == outcome.Unavailable || o == outcome.Internal)
	return session, err
}

// remote is the address of the sender without its port, "" if it is not known. Whose word counts for it, where there are
// proxies, is decided before (internal/forwarded).
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
