// Package tlspsk accepts TLS connections of clients with pre-shared keys beside all others. Go's crypto/tls has no external
// pre-shared keys, so those clients are OpenSSL's (package openssl, with the build tag psk), and every other client is
// crypto/tls's. The ClientHello tells which: it is read here (hello.go), and what was read is handed on.
//
// A client whose pre-shared key is refused does not get in by other means: OpenSSL is given no certificate to go on with. An
// identity without a key is given one that nobody has, so that it fails where a wrong key does.
//
// The key is looked up before OpenSSL is asked anything that needs it: with TLS 1.3 the ClientHello names the identity, with
// TLS 1.2 the ClientKeyExchange, which is read here too. No thread waits inside OpenSSL. Look-ups, handshakes, and the bytes
// and the time that a client may take for one, are bounded.
//
// Connections with a key have neither tickets nor a session cache, so that a key that is withdrawn is of no use. Tickets
// of crypto/tls, which look like pre-shared keys in a ClientHello, are told apart and stay with crypto/tls.
package tlspsk
