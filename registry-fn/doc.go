// Package registryfn is the device registry's HTTP API: applications and devices, who may use them, access tokens, and
// where everything is.
//
// Reading path: route.go has the table of operations; handler.go is the way of a request: a route, a caller, an operation,
// an answer. An operation asks internal/user whether the caller may, lets internal/store do it in one transaction, and
// has internal/changes tell what changed. refusal.go is the one place where errors become answers. openapi.yaml
// describes all of it, and the tests hold every answer against it.
package registryfn
