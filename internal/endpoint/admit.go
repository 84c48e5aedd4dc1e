package endpoint

import (
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/header"
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
	ctx := newPatience(r.Context(), timeout)
	defer ctx.cancel()
	return devices.Authenticate(ctx, request)
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
