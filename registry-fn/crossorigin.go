package registryfn

import (
	"net/http"
	"slices"
)

// preflightAge is for how many seconds a browser may remember what it was told.
const preflightAge = "3600"

// crossOrigin lets the pages of the configured origins use the API (the CORS protocol of the Fetch standard), and answers
// what browsers ask before they let them. Browsers are never told to add credentials of their own.
func (h *Handler) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !(slices.Contains(h.config.Origins, "*") || slices.Contains(h.config.Origins, origin)) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", "Location, Retry-After, Warning")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}
