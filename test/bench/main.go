package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run is one of the programs that this one is.
func run(ctx context.Context, arguments []string) error {
	if len(arguments) > 0 {
		switch arguments[0] {
		case bareCommand:
			return bare(ctx, arguments[1:])
		case bareProxyCommand:
			return bareProxy(ctx, arguments[1:])
		case loadCommand:
			return load(ctx, arguments[1:], os.Stdout)
		case mqttLoadCommand:
			return mqttLoad(ctx, arguments[1:], os.Stdout)
		case idleCommand:
			return idle(ctx, arguments[1:], os.Stdin, os.Stdout)
		case heldCommand:
			return holdSessions(ctx, arguments[1:], os.Stdin, os.Stdout)
		case interestsCommand:
			return holdInterest(ctx, arguments[1:], os.Stdin, os.Stdout)
		case triggersCommand:
			return serveTriggers(ctx, arguments[1:])
		case stormCommand:
			return storm(ctx, arguments[1:], os.Stdin, os.Stdout)
		case steadyCommand:
			return steady(ctx, arguments[1:], os.Stdin, os.Stdout)
		case attackCommand:
			return attack(ctx, arguments[1:], os.Stdin)
		case mqttSinkCommand:
			return mqttSink(ctx, arguments[1:])
		case coapBareCommand:
			return serveBareCoAP(ctx, arguments[1:])
		case coapGatewayCommand:
			return serveCoAPGateway(ctx, arguments[1:])
		case coapLoadCommand:
			return loadCoAP(ctx, arguments[1:], os.Stdin, os.Stdout)
		case opcuaBareCommand:
			return subscribeBare(ctx, arguments[1:], os.Stdin, os.Stdout)
		case tlsServerCommand:
			return serveTLS(ctx, arguments[1:])
		case tlsLoadCommand:
			return loadTLS(ctx, arguments[1:], os.Stdin, os.Stdout)
		}
	}
	options, err := parseOptions(arguments)
	if err != nil {
		return err
	}
	if options.profile != "" {
		return profile(ctx, options.profile)
	}
	return measure(ctx, options)
}
