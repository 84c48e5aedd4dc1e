// Package assertion tells a function who the client of a TLS connection is that a gateway has ended: in one header of each request,
// signed with a key that both hold.
//
// The signature is over who the client is, the method, the request's target and the time, and is believed for Life. So what is
// read on the way can be repeated for that long, for the same method and target only. A header that is not signed so is refused,
// never ignored: who sends one wants to be somebody else.
package assertion
