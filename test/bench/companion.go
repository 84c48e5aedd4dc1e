package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A companion is this program as another of its commands, which talks over its input and output.
type companion struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// startCompanion starts a command of this program. Its standard error goes to log.
func startCompanion(ctx context.Context, log io.Writer, arguments ...string) (*companion, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("looking for this program: %w", err)
	}
	c := &companion{command: exec.CommandContext(ctx, self, arguments...)}
	c.command.Stderr = log
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", arguments[0], err)
	}
	return c, nil
}

// end tells the companion that nothing more comes, and waits for its end.
func (c *companion) end() error { return errors.Join(c.in.Close(), c.command.Wait()) }
