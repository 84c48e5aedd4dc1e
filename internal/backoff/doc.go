// Package backoff makes the pauses between attempts of what has failed: each about twice as long as the one before, up to
// a longest one, and shortened by chance, so that many who fail together do not come back together.
package backoff
