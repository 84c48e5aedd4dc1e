package outbound

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/fairlead/fairlead/internal/registry"
)

// newRequest writes a call as a request. Errors hold nothing of the endpoint.
func newRequest(ctx context.Context, call Call) (*http.Request, error) {
	of := call.Endpoint
	request, err := http.NewRequestWithContext(ctx, cmp.Or(of.Method, http.MethodPost), cmp.Or(call.URL, of.URL), bytes.NewReader(call.Body))
	if err != nil {
		return nil, errors.New("the endpoint's URL or method is not valid")
	}
	request.Header.Set("User-Agent", "fairlead")
	for _, h := range headers(of) {
		request.Header.Add(h.Name, h.Value)
	}
	for name, values := range call.Header {
		request.Header[name] = values
	}
	switch {
	case of.Auth.Basic != nil:
		request.SetBasicAuth(of.Auth.Basic.Username, of.Auth.Basic.Password)
	case of.Auth.Bearer != nil:
		request.Header.Set("Authorization", "Bearer "+of.Auth.Bearer.Token)
	}
	return request, nil
}

// headers are those of an endpoint that it may set.
func headers(of *registry.ExternalEndpoint) (all []registry.EndpointHeader) {
	for _, h := range of.Headers {
		if h.Problem() == "" && len(all) < registry.MaxEndpointHeaders {
			all = append(all, h)
		}
	}
	return all
}
