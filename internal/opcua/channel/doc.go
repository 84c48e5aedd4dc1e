// Package channel is the client's side of an OPC UA secure channel over TCP (OPC 10000-6, 6 and 7): the handshake, chunks that are
// signed and encrypted, tokens that are renewed, requests and their responses.
//
// gopcua has a secure channel too. It is not used because a hostile server could end the process through it: it indexes what it
// receives without looking at lengths, it takes sizes of buffers from the server, and it decodes in a goroutine that nobody can
// protect. Its algorithms are used.
package channel
