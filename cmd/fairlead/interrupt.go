package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible makes a context that the first SIGINT or SIGTERM ends. From then on a signal has its usual effect: the
// second one ends the process at once.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, stop = signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
