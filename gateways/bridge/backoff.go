package bridge

import (
	"math/rand/v2"
	"time"
)

// backoff is how long to wait after so many failures in a row, from 1: about twice as long each time, never longer than
// longest, and up to half of it less by chance, so that many who fail together do not come back together.
func backoff(failures int, shortest, longest time.Duration) time.Duration {
	delay := longest
	if doublings := failures - 1; doublings < 30 {
		delay = min(longest, shortest<<doublings)
	}
	return delay - rand.N(delay/2)
}
