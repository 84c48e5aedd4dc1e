// Package transport makes the listeners of gateways: TCP, the PROXY protocol, and TLS with certificates that are read
// anew when their files change.
package transport
