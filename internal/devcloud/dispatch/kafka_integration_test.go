//go:build integration

package dispatch

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/triggers"
)

// TestRealKafka delivers from a real broker through a second group member, a death of the broker and a restart of the
// dispatcher: every event arrives, and none that was there before the group.
func TestRealKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	server, err := neighbour.StartKafka(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.CreateTopic(ctx, topic, 3); err != nil {
		t.Fatal(err)
	}
	c := kafka.Config{Brokers: server.Brokers()}
	producer, err := kafka.NewClient(c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	sent, phase := 0, "before-"
	send := func(n int) {
		t.Helper()
		for range n {
			r := binary(fmt.Sprintf("%s%06d", phase, sent))
			r.Partition = int32(sent % 3)
			sent++
			if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := newReceiver(t)
	r.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
	s := Subscription{
		Name: "default/t", Group: "fairlead-trigger-default.t", Topic: topic, Application: "app", Version: "1",
		Subscriber: r.server.URL, Policy: triggers.Policy{Timeout: 30 * time.Second, Retries: 10, BackoffDelay: time.Millisecond, Ordered: true},
	}
	begin := func() *Dispatcher {
		t.Helper()
		d, err := New(Options{Kafka: c})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Apply([]Subscription{s}); err != nil {
			t.Fatal(err)
		}
		if err := d.Settled(ctx); err != nil {
			t.Fatal(err)
		}
		if st := d.Status()[0]; st.State != stream.Running {
			t.Fatalf("status %+v", st)
		}
		return d
	}
	end := func(d *Dispatcher) {
		t.Helper()
		if err := d.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	all := func() bool {
		seen := map[string]bool{}
		for _, id := range r.ids() {
			seen[id] = true
		}
		return len(seen) == sent
	}

	send(5) // before the group exists: not delivered
	sent, phase = 0, ""
	first := begin()
	send(50)
	neighbour.Eventually(t, "the first events", all)
	second := begin()
	send(50)
	neighbour.Eventually(t, "the events during the rebalance", all)
	end(first)
	send(50)
	neighbour.Eventually(t, "the events after the rebalance", all)

	server.Kill()
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	send(50)
	neighbour.Eventually(t, "the events after the broker's death", all)
	end(second)
	send(50) // while nobody runs
	third := begin()
	defer end(third)
	neighbour.Eventually(t, "the events of the pause", all)

	neighbour.Eventually(t, "no lag", func() bool { return third.Status()[0].Lag == 0 })
}
