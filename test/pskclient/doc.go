// Package pskclient is a TLS client with a pre-shared key for tests and benchmarks, on OpenSSL. It needs the build tag psk.
package pskclient
