//go:build integration

package bridge

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/test/neighbour"
)

// BenchmarkBacklog works off what a broker has kept while the bridge was away: messages of 100 bytes, of some devices. Run
// it with -benchtime 1x.
func BenchmarkBacklog(b *testing.B) {
	for _, devices := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(devices)+" devices", func(b *testing.B) {
			const messages = 10_000
			k := neighbour.SharedKafka(b)
			emptyTopic(b, k)
			m := startMosquitto(b)
			c := testConfig()
			c.Broker.URL = m.URL()
			p := producer(b, k.Brokers())
			if err := run(b, c, p).end(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				preload(b, m, devices, messages/devices)
				arrived := newArrivals(p, messages)
				b.StartTimer()
				bridge := run(b, c, arrived)
				select {
				case <-arrived.all:
				case <-time.After(startTime):
					b.Fatalf("%d messages are missing", arrived.left)
				}
				b.StopTimer()
				if err := bridge.end(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(messages*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// preload has devices publish a number of messages each, all at once.
func preload(b *testing.B, m *neighbour.Mosquitto, devices, each int) {
	b.Helper()
	lines := strings.Repeat(strings.Repeat("x", 100)+"\n", each)
	var publishers sync.WaitGroup
	for i := range devices {
		publishers.Go(func() {
			cmd := exec.CommandContext(b.Context(), "mosquitto_pub", "-h", m.Host(), "-p", strconv.Itoa(m.Port()), "-q", "1", "-t", "site/device-"+strconv.Itoa(i)+"/x", "-l")
			cmd.Stdin = strings.NewReader(lines)
			if output, err := cmd.CombinedOutput(); err != nil {
				b.Errorf("mosquitto_pub: %v: %s", err, output)
			}
		})
	}
	publishers.Wait()
}

// arrivals is a writer that knows when so many records are stored.
type arrivals struct {
	ingest.Writer
	mu   sync.Mutex
	left int
	all  chan struct{}
}

func newArrivals(w ingest.Writer, count int) *arrivals {
	return &arrivals{Writer: w, left: count, all: make(chan struct{})}
}

func (a *arrivals) Write(ctx context.Context, r *kgo.Record, done func(error)) {
	a.Writer.Write(ctx, r, func(err error) {
		if err == nil {
			a.mu.Lock()
			if a.left--; a.left == 0 {
				close(a.all)
			}
			a.mu.Unlock()
		}
		done(err)
	})
}
