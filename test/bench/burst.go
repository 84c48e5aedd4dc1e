package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

const (
	burstTopic      = "events-bench-burst"
	burstPartitions = 3
	plainEvents     = 100_000 // without HTTP; fewer come too fast to be measured
	unorderedEvents = 20_000
	orderedEvents   = 6_000

	// streamLimit is how many records of a partition a consumer of internal/stream has on their way: as many as a Trigger.
	streamLimit = 32

	// maxBurstGap is the longest time in which no event may come while events are left. It is that of a fetch that finds nothing.
	maxBurstGap = time.Second

	// burstLimit bounds one burst.
	burstLimit = 2 * time.Minute
)

// A reader is one way to read the events of a burst.
type reader struct {
	name   string
	events int
	value  string // of each record; "" is that of most measurements
	start  func(ctx context.Context, n *neighbours, group string, arrive func()) (stop func() error, err error)
	runs   []burstRun
}

// A burstRun is how the events of one burst came.
type burstRun struct {
	perSecond float64       // from the first to the last
	gap       time.Duration // the longest time in which none came
}

// measureBurst writes events at once, which consumers wait for, in turns.
func measureBurst(ctx context.Context, s *scene) ([]row, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	if err := kafka.EnsureTopics(ctx, n.config(), burstPartitions, burstTopic); err != nil {
		return nil, err
	}
	producer, err := kafka.NewClient(n.config(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	// A new topic takes a while until everybody knows it. The producer waits for that.
	if err := producer.ProduceSync(ctx, burstRecords(burstPartitions, body())...).FirstErr(); err != nil {
		return nil, fmt.Errorf("producing: %w", err)
	}
	readers := []*reader{
		{name: "a bare franz-go consumer", events: plainEvents, start: readBare},
		{name: "internal/stream", events: plainEvents, start: readStream},
		{name: "a Trigger, unordered", events: unorderedEvents, start: readTrigger(false)},
		{name: "a Trigger, ordered", events: orderedEvents, start: readTrigger(true)},
	}
	for round := range s.size.rounds {
		for i := range readers {
			r := readers[(i+round)%len(readers)]
			run, err := r.read(ctx, n, producer, fmt.Sprintf("burst-%d-%d", i, round))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			r.runs = append(r.runs, run)
		}
	}
	return compareBursts(readers[0], readers[1:]), nil
}

// read starts the reader, waits until it gets an event of every partition, and then writes the burst.
func (r *reader) read(ctx context.Context, n *neighbours, producer *kgo.Client, group string) (run burstRun, err error) {
	ctx, cancel := context.WithTimeout(ctx, burstLimit)
	defer cancel()
	var a arrivals
	stop, err := r.start(ctx, n, group, a.arrive)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, events := range []int{burstPartitions, r.events} {
		a.expect(events)
		if err := producer.ProduceSync(ctx, burstRecords(events, cmp.Or(r.value, body()))...).FirstErr(); err != nil {
			return run, fmt.Errorf("producing: %w", err)
		}
		if err := a.wait(ctx); err != nil {
			return run, err
		}
	}
	return a.run(), nil
}

// burstRecords are events for each partition in turn.
func burstRecords(n int, value string) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		m := stream.Message{SpecVersion: "1.0", Data: []byte(value)}
		for _, a := range [][2]string{
			{"id", strconv.Itoa(i)}, {"type", "io.drogue.event.v1"}, {"source", "drogue://bench/device1"}, {"subject", "state"},
			{"time", "2026-01-02T03:04:05Z"}, {"datacontenttype", "application/json"}, {"partitionkey", "bench/device1"},
		} {
			m.Add(a[0], a[1])
		}
		records[i] = m.Record(burstTopic)
		records[i].Partition = int32(i % burstPartitions)
	}
	return records
}

// Arrivals notes when events come.
type arrivals struct {
	mu          sync.Mutex
	left, all   int
	first, last time.Time
	gap         time.Duration
	done        chan struct{}
}

// expect begins anew.
func (a *arrivals) expect(events int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left, a.all, a.gap, a.done = events, events, 0, make(chan struct{})
}

func (a *arrivals) arrive() {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == a.all {
		a.first, a.last = now, now
	}
	a.gap, a.last = max(a.gap, now.Sub(a.last)), now
	if a.left--; a.left == 0 {
		close(a.done)
	}
}

func (a *arrivals) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		return fmt.Errorf("%d of %d events did not come: %w", a.left, a.all, ctx.Err())
	}
}

func (a *arrivals) run() burstRun {
	a.mu.Lock()
	defer a.mu.Unlock()
	return burstRun{perSecond: float64(a.all) / a.last.Sub(a.first).Seconds(), gap: a.gap}
}

// readBare reads as little as franz-go lets one: no group, nothing committed, one record after the other.
func readBare(ctx context.Context, n *neighbours, _ string, arrive func()) (func() error, error) {
	admin, err := kafka.NewClient(n.config())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ends, err := kadm.NewClient(admin).ListEndOffsets(ctx, burstTopic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the end of the topic: %w", err)
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) { from[o.Partition] = kgo.NewOffset().At(o.Offset) })
	client, err := kafka.NewClient(n.config(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{burstTopic: from}))
	if err != nil {
		return nil, err
	}
	var polling sync.WaitGroup
	polling.Go(func() {
		for {
			fetches := client.PollFetches(ctx)
			if fetches.IsClientClosed() || ctx.Err() != nil {
				return
			}
			fetches.EachRecord(func(*kgo.Record) { arrive() })
		}
	})
	return func() error {
		client.Close()
		polling.Wait()
		return nil
	}, nil
}

// readStream has each record settled where it is handed out.
func readStream(ctx context.Context, n *neighbours, group string, arrive func()) (func() error, error) {
	cluster, err := stream.Connect(n.config())
	if err != nil {
		return nil, err
	}
	consumer := cluster.NewConsumer(stream.Options{
		Topic: burstTopic, Group: group, Limit: streamLimit,
		Handler: func(_ context.Context, d *stream.Delivery) {
			arrive()
			d.Done()
		},
	})
	consuming, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { consumer.Run(consuming, ctx) })
	stop := func() error {
		end()
		running.Wait()
		cluster.Close()
		return nil
	}
	select {
	case <-consumer.Settled():
		return stop, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), stop())
	}
}

// readTrigger has each event posted to a receiver in this process.
func readTrigger(ordered bool) func(context.Context, *neighbours, string, func()) (func() error, error) {
	return func(ctx context.Context, n *neighbours, group string, arrive func()) (func() error, error) {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			arrive()
			w.WriteHeader(http.StatusAccepted)
		}))
		policy, err := triggers.PolicyFor(&triggers.Trigger{}, nil)
		if err != nil {
			return nil, err
		}
		policy.Ordered = ordered
		stop, err := dispatchTo(ctx, n, subscriptionTo(receiver.URL, burstTopic, group, policy))
		if err != nil {
			receiver.Close()
			return nil, err
		}
		return func() error {
			defer receiver.Close()
			return stop()
		}, nil
	}
}

// compareBursts makes the rows.
func compareBursts(bare *reader, readers []*reader) (rows []row) {
	for _, r := range append([]*reader{bare}, readers...) {
		perSecond, gaps := r.measured()
		rows = append(rows,
			row{figure: fmt.Sprintf("%s, events per second of %d", r.name, r.events), value: whole(perSecond.median()), span: perSecond.span(whole)},
			row{
				figure: r.name + ", longest gap", value: millis(gaps.median()), span: gaps.span(millis),
				target: "under " + millis(maxBurstGap), holds: gaps.quantile(1) < maxBurstGap,
			})
		if r == bare {
			rows[1].target = "" // it is nobody's promise
			continue
		}
		var rates, longest sample[float64]
		for i := range r.runs {
			rates = append(rates, r.runs[i].perSecond/bare.runs[i].perSecond)
			longest = append(longest, float64(r.runs[i].gap)/float64(bare.runs[i].gap))
		}
		rows = append(rows,
			row{figure: r.name + ", events per second to bare", value: fine(rates.median()), span: rates.span(fine)},
			row{figure: r.name + ", longest gap to bare", value: ratio(longest.median()), span: longest.span(ratio)})
	}
	return rows
}

// fine is a ratio that may be small.
func fine(v float64) string { return fmt.Sprintf("%.3f", v) }

func (r *reader) measured() (perSecond sample[float64], gaps sample[time.Duration]) {
	for _, run := range r.runs {
		perSecond, gaps = append(perSecond, run.perSecond), append(gaps, run.gap)
	}
	return perSecond, gaps
}
