package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	steadyCommand = "steady"

	// steadyRate is how many messages established connections publish together in a second.
	steadyRate = 500

	// maxStormRatio is the target of the p99 of established sessions beside a storm, to that before it, beyond what Kafka has become
	// slower by.
	maxStormRatio = 3.0

	// kafkaBesideRate is how many records a second are written to Kafka alone.
	kafkaBesideRate = 100

	// steadyLimit bounds how long they publish.
	steadyLimit = 15 * time.Minute
)

// A steadyReport has every message that established connections have published.
type steadyReport struct {
	Due  []int64 `json:"due"`  // in microseconds since 1970
	Took []int64 `json:"took"` // from then to its acknowledgement, in microseconds
	Busy float64 `json:"busy"` // share of its core that this process used
}

// steady publishes at a rate, whatever the answers, until its input ends, and tells of every message. It fails if a connection ends.
func steady(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(steadyCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the gateway, host:port")
	connections := flags.Int("connections", publishers, "how many")
	rate := flags.Float64("rate", steadyRate, "messages in a second of all connections")
	applications := flags.Int("applications", 0, "how many applications the devices belong to in turns; 0: the one of the bench")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	all := make([]*publisher, *connections)
	for i := range all {
		user := benchUser(i)
		if *applications > 0 {
			user = deviceName(i) + "@" + spreadApplication(*applications, i%*applications)
		}
		client, err := mqttclient.Dial(ctx, mqttclient.TCP(*address), deviceName(i), user, benchPassword)
		if err != nil {
			return err
		}
		all[i] = newPublisher(client)
	}
	if _, err := fmt.Fprintln(output, "connected"); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, input)
		for _, p := range all {
			p.enough.Store(true)
		}
	}()
	report, err := publishAll(all, steadyLimit, *rate/float64(*connections))
	if err != nil {
		return err
	}
	every := steadyReport{Busy: report.Busy}
	for _, p := range all {
		for i, due := range p.dues {
			every.Due, every.Took = append(every.Due, due.UnixMicro()), append(every.Took, p.latencies[i].Microseconds())
		}
	}
	return json.NewEncoder(output).Encode(every)
}

// A steadyLoad is this program as the established connections.
type steadyLoad struct{ *companion }

func beginSteady(ctx context.Context, address string, more ...string) (*steadyLoad, error) {
	c, err := startCompanion(ctx, os.Stderr, append([]string{steadyCommand, "--address", address}, more...)...)
	if err != nil {
		return nil, err
	}
	if _, err := c.out.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting: %w", err), c.end())
	}
	return &steadyLoad{c}, nil
}

// finish ends the load, and tells what it has seen.
func (l *steadyLoad) finish() (report steadyReport, err error) {
	if err := l.in.Close(); err != nil {
		return report, err
	}
	err = json.NewDecoder(l.out).Decode(&report)
	return report, errors.Join(err, l.command.Wait())
}

// between are how long the messages took that were due within a time.
func (r steadyReport) between(from, to time.Time) (times sample[time.Duration]) {
	for i, due := range r.Due {
		if due >= from.UnixMicro() && due < to.UnixMicro() {
			times = append(times, time.Duration(r.Took[i])*time.Microsecond)
		}
	}
	return times
}

// A kafkaBeside writes records of the same size to Kafka alone, at a rate, whatever the answers, until it is stopped: what a message takes
// that no gateway has to do with.
type kafkaBeside struct {
	stop   chan struct{}
	result chan error
	report steadyReport
}

func beginKafkaBeside(ctx context.Context, n *neighbours) (*kafkaBeside, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers()...), kgo.ProducerLinger(0))
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	b := &kafkaBeside{stop: make(chan struct{}), result: make(chan error, 1)}
	go func() {
		defer client.Close()
		b.result <- b.run(ctx, client)
	}()
	return b, nil
}

// run produces until it is stopped, and waits for the last acknowledgement.
func (b *kafkaBeside) run(ctx context.Context, client *kgo.Client) (err error) {
	began, interval := time.Now(), time.Second/kafkaBesideRate
	var mu sync.Mutex
	for i := 0; ; i++ {
		due := began.Add(time.Duration(i) * interval)
		select {
		case <-b.stop:
			flushed := client.Flush(ctx)
			mu.Lock()
			defer mu.Unlock()
			return errors.Join(err, flushed)
		case <-time.After(time.Until(due)):
		}
		record := &kgo.Record{Topic: event.Topic(application), Key: []byte(benchUser(i % publishers)), Value: []byte(body())}
		client.Produce(ctx, record, func(_ *kgo.Record, failure error) {
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, failure)
			b.report.Due, b.report.Took = append(b.report.Due, due.UnixMicro()), append(b.report.Took, took.Microseconds())
		})
	}
}

func (b *kafkaBeside) finish() (steadyReport, error) {
	close(b.stop)
	err := <-b.result
	return b.report, err
}

// A beside is what messages took before a storm and during it.
type beside struct{ before, during sample[time.Duration] }

func (r steadyReport) around(calm time.Duration, began, ended time.Time) (beside, error) {
	b := beside{r.between(began.Add(-calm), began), r.between(began, ended)}
	if len(b.before) == 0 || len(b.during) == 0 {
		return b, errors.New("too few messages to compare")
	}
	return b, nil
}

// tail is the p99 during a storm, to that before it.
func (b beside) tail() float64 {
	return float64(b.during.quantile(0.99)) / float64(b.before.quantile(0.99))
}

func (b beside) rows(name string) []row {
	times := func(s sample[time.Duration]) string {
		return fmt.Sprintf("p50 %s, p99 %s, max %s", millis(s.median()), millis(s.quantile(0.99)), millis(s.quantile(1)))
	}
	return []row{
		{figure: name + ", before", value: strconv.Itoa(len(b.before)) + " messages", span: times(b.before)},
		{figure: name + ", during", value: strconv.Itoa(len(b.during)) + " messages", span: times(b.during)},
		{
			figure: name + ", during to before", value: "p50 " + ratio(float64(b.during.median())/float64(b.before.median())),
			span: "p99 " + ratio(b.tail()),
		},
	}
}

// steadyRows compare established sessions during something with those before it, and with Kafka alone: what it has become slower by, it has
// become slower by for whoever uses it.
func steadyRows(what string, sessions, kafka beside, busy float64) []row {
	rows := []row{{figure: what + ": cores of the machine busy", value: percent(busy)}}
	rows = append(rows, sessions.rows(what+": established sessions, PUBLISH to PUBACK")...)
	rows = append(rows, kafka.rows(what+": Kafka alone")...)
	beyond := sessions.tail() / kafka.tail()
	keeps := row{
		figure: what + ": p99 of established sessions, during to before, beyond that of Kafka alone", value: ratio(beyond),
		target: atMost(maxStormRatio).String(), holds: beyond <= maxStormRatio,
	}
	return append(rows, keeps)
}
