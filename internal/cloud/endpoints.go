package cloud

import (
	"context"
	"net/http"
)

// Endpoints say where the parts of an installation are, as far as the command line asks.
type Endpoints struct {
	Issuer   string `json:"issuer_url"`
	Registry struct {
		URL string `json:"url"`
	} `json:"registry"`
}

// Discover asks an installation where its parts are. Nobody needs to be logged in for that.
func Discover(ctx context.Context, base string) (*Endpoints, error) {
	c, err := NewClient(base, nil)
	if err != nil {
		return nil, err
	}
	var e Endpoints
	if err := c.call(ctx, http.MethodGet, "/.well-known/drogue-endpoints", nil, &e); err != nil {
		return nil, err
	}
	if e.Registry.URL == "" {
		e.Registry.URL = c.base
	}
	return &e, nil
}
