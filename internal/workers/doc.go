// Package workers runs short tasks on goroutines that are kept for the next one. A new goroutine begins with a small stack, which grows
// by being copied; a task that needs a deep one, such as the encryption of a datagram, would pay for that each time.
package workers
