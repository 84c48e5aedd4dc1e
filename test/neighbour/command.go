package neighbour

import (
	"context"
	"syscall"
)

// A Command says how to run a program as a [Process].
type Command struct {
	// Name stands in errors and file names.
	Name string

	// Path is the program, with a slash or to be found in PATH.
	Path string
	Args []string

	// Env is added to the environment of this process, and wins over it.
	Env []string

	// Dir is the working directory. Default: the process's own temporary folder.
	Dir string

	// Ready returns nil once the program serves. It is asked every 10 ms until then. Nil: running is enough.
	Ready func(context.Context) error

	// StopSignal asks the program to end. Default: SIGTERM.
	StopSignal syscall.Signal

	// credential is the user that the program runs as. Nil: this process's own.
	credential *syscall.Credential
}
