package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible makes a context that the first SIGINT or SIGTERM ends. When it has ended, a signal has its usual effect: the
// second one ends the process at once.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, end := context.WithCancel(parent)
	signalled, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(signalled, func() {
		stop()
		end()
	})
	return ctx, stop
}
