package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud/receiver"
)

// stopTimeout is how long requests may take to end after a signal.
const stopTimeout = 5 * time.Second

type receiveCommand struct {
	Address string `name:"receive-address" aliases:"address" default:"127.0.0.1:8090" env:"FAIRLEAD_RECEIVE_ADDRESS" help:"Address host:port to listen on."`
	JSON    bool   `name:"json" help:"Print each event as one line of CloudEvents JSON."`
}

// Run prints events until it is interrupted.
func (c *receiveCommand) Run(ctx context.Context, t terminal) error {
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return fmt.Errorf("listening: %w (fairlead dev listens on 127.0.0.1:8090 itself: start it with --receiver-address=, or listen elsewhere with --receive-address)", err)
	}
	var lines sync.Mutex
	server := receiver.Server(receiver.Handler(func(e cloudevents.Event) {
		lines.Lock()
		defer lines.Unlock()
		c.print(t, e)
	}))
	fmt.Fprintf(t.err, "listening on http://%s\n", listener.Addr())
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(ending)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func (c *receiveCommand) print(t terminal, e cloudevents.Event) {
	if !c.JSON {
		fmt.Fprintln(t.out, receiver.Line(e))
		return
	}
	text, err := e.MarshalJSON()
	if err != nil { // the data contradicts its content type
		fmt.Fprintf(t.err, "event %q cannot be written as JSON\n", e.ID())
		return
	}
	fmt.Fprintf(t.out, "%s\n", text)
}
