// Package crossorigin lets web pages of other origins use an API: the server side of the CORS protocol of the Fetch standard.
package crossorigin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// preflightAge is for how many seconds a browser may remember what it was told.
const preflightAge = "3600"

// A Policy says which pages may use an API, and what of it. Browsers are never told to add credentials of their own.
type Policy struct {
	Origins []string // see Validate; empty lets no page of another origin
	Methods string   // that pages may use, as a list with commas
	Headers string   // of requests that pages may set, as a list with commas, besides those that they always may
	Exposed string   // headers of answers that pages may read, as a list with commas, besides those that they always may
}

// Validate checks origins: each is a scheme and a host, perhaps with a port, such as https://console.example.com, or * for every one.
func Validate(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
			return errors.New("origins: each must be a scheme and a host such as https://console.example.com, or *")
		}
	}
	return nil
}

// Answer tells the browser whether the page that sent a request may read the answer. It answers what browsers ask before they send one;
// then there is nothing left to do.
func (p *Policy) Answer(w http.ResponseWriter, r *http.Request) (answered bool) {
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !p.names(origin) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", p.Exposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", p.Methods)
	header.Set("Access-Control-Allow-Headers", p.Headers)
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// Foreign tells whether a request comes from a page of another origin that is none of the policy's. Browsers keep the answer from such
// a page, but do send the request, and know nothing of CORS for a WebSocket.
func (p *Policy) Foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || p.names(origin) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

func (p *Policy) names(origin string) bool {
	return slices.Contains(p.Origins, "*") || slices.Contains(p.Origins, origin)
}
