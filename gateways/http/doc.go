// Package http is the TLS front of the functions that devices post to: it ends TLS, with pre-shared keys and client certificates, and
// forwards each request with who its client is, signed (internal/assertion).
//
// It judges nobody and stores nothing. Bodies are streamed; each request is judged by the function that it goes to, so that what is
// withdrawn there ends with the next request. Reading path: gateway.go is its life, forward.go a request's way, upstream.go what waits
// for a function that is asleep, connection.go who the client is.
package http
