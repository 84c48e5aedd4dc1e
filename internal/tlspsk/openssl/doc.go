// Package openssl is a small binding of OpenSSL 3 for servers whose clients prove pre-shared keys, over TLS 1.2 and 1.3. It does
// no input and output: each call takes what has come from the client and yields what is to be sent to it. Nothing calls
// from C into Go, and between two calls OpenSSL holds no memory of Go and no buffer of its own.
//
// It needs cgo, the headers of OpenSSL and the build tag psk. Without the tag there is nothing but Available, which says so.
package openssl
