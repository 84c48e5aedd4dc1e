// Package endpoint is what the device-facing HTTP adapters have in common: reading a request's query, log-in and body.
package endpoint
