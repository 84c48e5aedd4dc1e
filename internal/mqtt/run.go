package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Run serves listeners until ctx ends, or until one of them fails, which is the error. Then it drains: it accepts and reads
// nothing more, waits within drainTimeout until what clients have published is answered, and takes leave of every client. It
// closes the listeners. Each function of beside runs meanwhile; it returns when its context ends, and Run waits for it.
func (s *Server) Run(ctx context.Context, l Listeners, drainTimeout time.Duration, beside ...func(context.Context)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	web := s.webServer()
	var running sync.WaitGroup
	serve := func(what string, serve func(net.Listener) error, l net.Listener) {
		if l == nil {
			return
		}
		running.Go(func() {
			if err := serve(l); err != nil && !closed(err) {
				cancel(fmt.Errorf("serving %s: %w", what, err))
			}
		})
	}
	serve("MQTT", s.Serve, l.TCP)
	serve("MQTT over TLS", s.Serve, l.TLS)
	serve("MQTT over WebSocket", web.Serve, l.WebSocket)
	serve("MQTT over WebSocket and TLS", web.Serve, l.WebSocketTLS)
	for _, f := range beside {
		running.Go(func() { f(ctx) })
	}

	<-ctx.Done()
	err := errors.Join(s.drain(web, drainTimeout), l.Close())
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = errors.Join(cause, err)
	}
	return err
}

// closed tells whether a listener ended because it was closed.
func closed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed)
}

// drain ends the servers in the order in which clients reach them.
func (s *Server) drain(web *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var problems []error
	if err := web.Close(); err != nil && !closed(err) {
		problems = append(problems, fmt.Errorf("closing the listeners of WebSocket: %w", err))
	}
	if err := s.Shutdown(ctx); err != nil {
		problems = append(problems, fmt.Errorf("draining connections: %w", err))
	}
	return errors.Join(problems...)
}
