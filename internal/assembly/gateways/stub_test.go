package gateways

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A lineGateway shows what a protocol costs: everything of it is in this file. A site sends lines of text over TCP, each with the
// name of a device, a channel, and what the device said. The gateway answers each line with what became of the message.
type lineGateway struct {
	listener  net.Listener
	forwarder *forward.Forwarder
}

// lineProcess is its row in the table.
var lineProcess = assembly.Process{Name: "line", Kind: assembly.Gateway, Summary: "lines of text", Groups: []string{"kafka", "ingest"}, Access: assembly.Asks}

// newLine is its constructor.
func newLine(_ context.Context, _ *Config, p *assembly.Parts) (func(context.Context) error, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for lines: %w", err)
	}
	p.Listening("line", listener.Addr().String(), false)
	c := forward.Config{
		Gateway:    forward.GatewayConfig{Application: "plant", Device: "site", Password: "hey-rodney"},
		RetryDelay: time.Second, AuthTimeout: 5 * time.Second,
	}
	g := &lineGateway{listener, forward.New(c, p.Authenticator, p.Pipeline, func(outcome.Outcome) {}, p.Log)}
	return g.serve, nil
}

// serve serves until ctx ends, and then waits for what is on its way.
func (g *lineGateway) serve(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer end()
	running.Go(func() { g.forwarder.Run(life) })
	defer context.AfterFunc(ctx, func() { _ = g.listener.Close() })()
	for {
		conn, err := g.listener.Accept()
		if ctx.Err() != nil {
			return g.forwarder.Close(life)
		}
		if err != nil {
			return fmt.Errorf("accepting a site: %w", err)
		}
		running.Go(func() { g.read(life, conn) })
	}
}

// read forwards the lines of one connection.
func (g *lineGateway) read(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		device, rest, _ := strings.Cut(lines.Text(), " ")
		channel, body, _ := strings.Cut(rest, " ")
		taken := g.forwarder.Forward(&forward.Message{
			Device:  device,
			Message: ingest.Message{Channel: channel, Body: []byte(body)},
			Settled: func(r outcome.Result) { fmt.Fprintln(conn, r.Outcome) },
			Left:    func() { fmt.Fprintln(conn, "try again") },
		})
		if !taken {
			return
		}
	}
}
