// Package dtls accepts DTLS 1.2 sessions at one UDP socket: with pre-shared keys, with certificates, or without any proof
// of who the client is. The protocol itself is pion's; what is here is everything around it that has to have a bound.
//
// A session belongs to a link, which gives pion its datagrams. The [Listener] finds the link of a datagram by the
// connection ID in it (RFC 9146) or by the sender's address, and decides what a link may cost as long as nobody knows who
// sends: first while the address is unproven (the client has not returned the cookie of RFC 6347 section 4.2.1), then
// until the handshake is done. At a bound the one that has been at it for longest gives way, so that a flood makes
// handshakes short-lived, but never locks anybody out.
//
// A client that begins anew from the address of a session that it has lost gets a second link beside the first one, which
// replaces it once its handshake is done (section 4.2.8).
package dtls
