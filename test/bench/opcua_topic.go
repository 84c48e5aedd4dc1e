package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/numbered"
)

// A counterTopic is what is stored of counters, from when the topic is followed on.
type counterTopic struct {
	client  *kgo.Client
	devices string // what the names of the devices begin with
	reading sync.WaitGroup

	mu     sync.Mutex
	stored []numbered.Stored // by node; each number is one more than the counter said, since they begin at 1
	err    error
}

// follow reads what is written from now on of some devices.
func (o *opcuaScene) follow(ctx context.Context, devices string) (*counterTopic, error) {
	topic := event.Topic(opcuaApplication)
	admin, err := kafka.NewClient(o.config())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ends, err := kadm.NewClient(admin).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("asking where the topic ends: %w", err)
	}
	client, err := kafka.NewClient(o.config(), kgo.ConsumePartitions(ends.KOffsets()))
	if err != nil {
		return nil, err
	}
	t := &counterTopic{client: client, devices: devices + "-"}
	t.reading.Go(func() {
		for {
			fetches := client.PollFetches(ctx)
			if fetches.IsClientClosed() || ctx.Err() != nil {
				return
			}
			t.add(fetches)
		}
	})
	return t, nil
}

func (t *counterTopic) close() {
	t.client.Close()
	t.reading.Wait()
}

func (t *counterTopic) add(fetches kgo.Fetches) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		var device, channel string
		for _, h := range r.Headers {
			switch h.Key {
			case "ce_device":
				device = string(h.Value)
			case "ce_subject":
				channel = string(h.Value)
			}
		}
		if strings.HasPrefix(device, t.devices) {
			t.take(r, device, channel)
		}
	})
}

// A counterBody is as much of a value's body as is looked at.
type counterBody struct{ Value uint64 }

// take notes the values of an event. Connection events have none.
func (t *counterTopic) take(r *kgo.Record, device, channel string) {
	values := map[string]counterBody{}
	switch {
	case channel == allTogether:
		if err := json.Unmarshal(r.Value, &values); err != nil {
			t.err = fmt.Errorf("an event of %s in %s: %w", device, channel, err)
		}
	case strings.HasPrefix(channel, "Counter"):
		var body counterBody
		if err := json.Unmarshal(r.Value, &body); err != nil {
			t.err = fmt.Errorf("an event of %s in %s: %w", device, channel, err)
		}
		values[channel] = body
	}
	for name, body := range values {
		node := numbered.Message{Device: device + "/" + name, Number: body.Value + 1}
		t.stored = append(t.stored, numbered.Stored{Message: node, Partition: r.Partition, Offset: r.Offset})
	}
}

// values is how many are stored.
func (t *counterTopic) values(context.Context) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.stored), t.err
}

// faults counts what is missing, out of order or there twice, if each counter has gone from 0 to last.
func (t *counterTopic) faults(last int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	checker := numbered.New()
	for machine := range opcuaMachines {
		for counter := range opcuaCounters {
			node := fmt.Sprintf("%s%d/Counter%d", t.devices, machine+1, counter+1)
			for range last + 1 {
				checker.Answered(checker.Next(node), numbered.Acknowledged)
			}
		}
	}
	return len(checker.Verify(t.stored))
}
