// Package cache keeps registry documents in Redis and in process, in front of the store, so that a request costs the
// store nothing and Redis one round trip at most.
//
// # Layers
//
// A look-up asks, in this order, the process's own layer of decoded documents, Redis, and the [Backend]. What is not
// found is remembered, too. Redis may be away: the backend answers. The backend may be away: Redis answers what it
// knows until the hard time to live, and the rest is an error, never "not found".
//
// # No old document over a newer one
//
// Who misses takes a lease, a key beside the entry that holds a random number, reads the backend and writes the entry
// only if the lease is still its own; [Cache.Invalidate] deletes entry and lease alike. A slow reader that read the
// backend before a change therefore cannot write after it. A script compares and writes in one step, and never lowers
// the revision of a document. An entry that is past its soft time to live stays readable while a reader with a lease
// renews it.
//
// The layer in process relies on push. It holds a fill only if nothing it covers was invalidated since the fill began,
// and it is empty and unused unless [Cache.Watch] has a live subscription.
//
// # Redis must be protected
//
// Documents contain credentials: hashes, but also plain passwords and pre-shared keys, and Redis holds them as they
// are. Redis needs a password or ACL, TLS wherever the network is not trusted, and no other users. This package puts
// nothing of a document into logs, errors or metrics.
package cache
