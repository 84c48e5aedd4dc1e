// Package coap is the server's side of CoAP over datagrams: the message layer of RFC 7252, block-wise transfers of RFC 7959
// and notifications of RFC 7641. It knows nothing of what the requests mean. Messages are encoded and decoded by go-coap;
// docs/decisions/0011 says why the exchanges are not go-coap's.
//
// An [Endpoint] holds what all have in common: the [Handler], the bounds, the memory for transfers. Each client is a [Peer].
// Whoever has the client's datagrams, a [Server] for plain UDP or a DTLS session, gives them to Peer.Receive, which never
// blocks:
//
//	datagram ──▶ Peer.Receive ──▶ remembered? the same answer again
//	                          ├─▶ acknowledgement: ends a retransmission
//	                          └─▶ request ──▶ queue ──▶ worker ──▶ blocks ──▶ Handler.Serve ──▶ reply ──▶ datagram
//
// The requests of one peer reach the handler one after the other, in the order of arrival, so that what they say can be
// stored in that order. Their answers may come in any order and at any time: a confirmable request that has no answer yet
// after Config.AckDelay is acknowledged, and its answer follows as a confirmable message of its own.
//
// A client that nobody has seen at its address (plain UDP) is sent at most three times the bytes that came from there.
package coap
