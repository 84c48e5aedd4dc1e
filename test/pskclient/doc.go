// Package pskclient has TLS clients with a pre-shared key for tests and benchmarks: the command lines of OpenSSL and GnuTLS, and
// one on OpenSSL in the process of the test, which needs the build tag psk.
package pskclient
