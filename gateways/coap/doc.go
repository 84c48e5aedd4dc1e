// Package coap is the device-facing CoAP gateway, over UDP and over DTLS.
//
// POST and PUT of /v1/{channel} publish; what follows the channel is accepted and ignored. The parameters of the query are
// those of HTTP; so is the log-in, in option 4209. With ct the answer waits for a command, whose name is in option 4210.
// GET of /v1/commands, which is Fairlead's own addition, observes commands.
//
// Over DTLS a device may instead prove a pre-shared key or a certificate. It is then authenticated once for its session, and
// loses the session when the registry takes back what the decision rested on.
//
// The package is an adapter: messages, blocks and observations are internal/coap's, handshakes and sessions internal/dtls's.
package coap
