package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/gateways"
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
	if len(arguments) != 1 {
		usage(problems)
		return 2
	}
	if arguments[0] == "--help" || arguments[0] == "-h" {
		usage(problems)
		return 0
	}
	gateway, ok := assembly.Find(assembly.Gateway, arguments[0])
	if !ok {
		usage(problems)
		return 2
	}
	config, err := gateways.LoadConfig(gateway, environment)
	if err == nil {
		err = gateways.Run(ctx, gateway, config)
	}
	if err != nil {
		fmt.Fprintf(problems, "gateway %s: %v\n", gateway.Name, err)
		return 1
	}
	return 0
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "Usage: gateway NAME, where NAME is one of")
	for _, p := range assembly.Of(assembly.Gateway) {
		fmt.Fprintf(w, "  %-8s %s\n", p.Name, p.Summary)
	}
	fmt.Fprintln(w, "Settings are environment variables that begin with FAIRLEAD_; docs/gateways.md lists them.")
}
