// Package psk holds what handshakes have to know of pre-shared keys, over TLS (internal/tlspsk) and DTLS (internal/dtls)
// alike: how a key is asked for, and how it is told that a handshake did not succeed.
package psk
