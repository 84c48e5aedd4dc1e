package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead/fairlead/internal/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	process.TuneMemory(process.GatewayGC)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stderr))
}

// run runs one gateway until ctx ends, and returns the exit status: 1 for what went wrong, 2 for a wrong command line.
func run(ctx context.Context, arguments, environment []string, problems io.Writer) int {
	if len(arguments) == 1 && (arguments[0] == "--help" || arguments[0] == "-h") {
		usage(problems)
		return 0
	}
	g, ok := chosen(arguments)
	if !ok {
		usage(problems)
		return 2
	}
	config, err := loadConfig(g, environment)
	if err == nil {
		err = serve(ctx, g, config)
	}
	if err != nil {
		fmt.Fprintf(problems, "gateway %s: %v\n", g.name, err)
		return 1
	}
	return 0
}

func chosen(arguments []string) (gateway, bool) {
	if len(arguments) != 1 {
		return gateway{}, false
	}
	for _, g := range gateways() {
		if g.name == arguments[0] {
			return g, true
		}
	}
	return gateway{}, false
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "Usage: gateway NAME, where NAME is one of")
	for _, g := range gateways() {
		fmt.Fprintf(w, "  %-8s %s\n", g.name, g.summary)
	}
	fmt.Fprintln(w, "Settings are environment variables that begin with FAIRLEAD_; docs/gateways.md lists them.")
}
