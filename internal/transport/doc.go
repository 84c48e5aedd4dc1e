// Package transport makes the listeners of gateways: TCP, the PROXY protocol, and TLS with certificates that are read
// anew when their files change. Connections that want TLS are accepted no faster than handshakes can be computed.
package transport
