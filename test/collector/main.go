// Command collector receives traces with the OTLP receiver of the OpenTelemetry Collector, over gRPC and HTTP, and prints them
// on standard output, as a line of OTLP's JSON for each batch. It is a module of its own, so that the product does not require what the
// collector requires.
//
// Usage: collector GRPC-ADDRESS HTTP-ADDRESS
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "Usage: collector GRPC-ADDRESS HTTP-ADDRESS")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		os.Exit(1)
	}
}

// run receives until ctx ends.
func run(ctx context.Context, grpc, http string) error {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": map[string]any{"endpoint": grpc}, "http": map[string]any{"endpoint": http},
	}})
	if err := settings.Unmarshal(config); err != nil {
		return err
	}
	print, err := consumer.NewTraces(printer())
	if err != nil {
		return err
	}
	r, err := factory.CreateTraces(ctx, receiver.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}, config, print)
	if err != nil {
		return err
	}
	if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	<-ctx.Done()
	return r.Shutdown(context.Background())
}

// printer prints each batch.
func printer() consumer.ConsumeTracesFunc {
	var lock sync.Mutex
	marshaler := &ptrace.JSONMarshaler{}
	return func(_ context.Context, batch ptrace.Traces) error {
		text, err := marshaler.MarshalTraces(batch)
		if err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		_, err = fmt.Println(string(text))
		return err
	}
}
