package main

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// measureMicro times steps that lie between the network on both sides.
func measureMicro(_ context.Context, s *scene) ([]row, error) {
	session := &auth.Session{
		Application: benchApplication(),
		Device:      &registry.Device{Metadata: registry.Metadata{Name: deviceName(0), Application: application, UID: "uid"}},
	}
	pipeline := ingest.New(ingest.DefaultConfig(), discard{})
	jsonBody := []byte(body())
	authorization := basicAuthorization(benchUser(0), benchPassword)
	var rows []row
	for _, step := range []struct {
		name string
		once func()
	}{
		{"reading a log-in", func() { _, _ = auth.FromHTTP(authorization, "", "") }},
		{"checking and compacting a JSON body", func() { _, _, _ = event.Normalize(contentType, jsonBody) }},
		{"publishing, up to the Kafka client", func() {
			pipeline.Publish(context.Background(), session, nil,
				ingest.Message{Channel: channel, ContentType: contentType, Body: jsonBody}, func(outcome.Result) {})
		}},
	} {
		r, err := benchmark(s.size.benchtime, step.once)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{figure: step.name, value: nanoseconds(r), span: allocations(r)})
	}
	return rows, nil
}

// discard stores nothing and says that it has.
type discard struct{}

var _ ingest.Writer = discard{}

func (discard) Write(_ context.Context, _ *kgo.Record, done func(error)) { done(nil) }

// benchmark times a function as go test does.
func benchmark(benchtime time.Duration, once func()) (testing.BenchmarkResult, error) {
	if flag.Lookup("test.benchtime") == nil {
		testing.Init()
	}
	if err := flag.Set("test.benchtime", benchtime.String()); err != nil {
		return testing.BenchmarkResult{}, fmt.Errorf("setting the time of a benchmark: %w", err)
	}
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			once()
		}
	}), nil
}

func nanoseconds(r testing.BenchmarkResult) string {
	return fmt.Sprintf("%.0f ns", float64(r.T.Nanoseconds())/float64(r.N))
}

func allocations(r testing.BenchmarkResult) string {
	return fmt.Sprintf("%d allocations, %d bytes", r.AllocsPerOp(), r.AllocedBytesPerOp())
}
