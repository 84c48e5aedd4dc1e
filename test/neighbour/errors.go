package neighbour

import "errors"

var (
	// ErrNotInstalled is in the error of a Start function when the server's programs are missing.
	ErrNotInstalled = errors.New("not installed: run test/deps/install")

	// ErrNotRunning is returned by what needs a living process.
	ErrNotRunning = errors.New("not running")

	errNotYet = errors.New("not yet")
	errEnded  = errors.New("the program ended before it was ready")
)
