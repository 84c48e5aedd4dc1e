package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
)

// maxAddedLatency is the target of the p99 at half of the largest rate, above that of Kafka alone at the same rate.
const maxAddedLatency = 10 * time.Millisecond

// curveLoads are the parts of the largest rate at which latency is measured.
var curveLoads = []struct {
	name  string
	share float64
}{{"a quarter", 0.25}, {"half", 0.5}, {"three quarters", 0.75}}

// A curveSide is a server whose latency is measured at rates.
type curveSide struct {
	name   string
	most   func(context.Context, time.Duration) (perSecond float64, err error) // as fast as it goes
	atRate func(ctx context.Context, duration time.Duration, rate float64) (latencies, error)
}

// latencies are what one round at a rate showed.
type latencies struct {
	median, p99 time.Duration
	reached     float64 // of the rate
}

// measureCurve sends at parts of the largest rate, whatever the answers, and writes records to Kafka alone at the same rate, in turns.
func measureCurve(ctx context.Context, s *scene) (rows []row, err error) {
	telemetry, n, err := s.telemetry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, telemetry.Close()) }()
	gateway, _, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	for _, side := range []curveSide{postCurve(telemetry.Address()), publishCurve(gateway)} {
		more, err := side.measure(ctx, s.size, n)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", side.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// postCurve is that of telemetry.
func postCurve(address string) curveSide {
	run := func(ctx context.Context, duration time.Duration, more ...string) (loadReport, error) {
		report, err := runLoad(ctx, address, duration, more...)
		if err == nil && report.Refused > 0 {
			err = fmt.Errorf("requests were refused, so that the figures mean nothing: answers by status %v", report.Statuses)
		}
		return report, err
	}
	return curveSide{
		name: "POST to " + strconv.Itoa(http.StatusAccepted),
		most: func(ctx context.Context, duration time.Duration) (float64, error) {
			report, err := run(ctx, duration)
			return float64(report.Accepted) / report.Elapsed.Seconds(), err
		},
		atRate: func(ctx context.Context, duration time.Duration, rate float64) (latencies, error) {
			report, err := run(ctx, duration, "--rate", strconv.FormatFloat(rate, 'f', 1, 64))
			return latencies{report.Median, report.P99, float64(report.Accepted) / report.Elapsed.Seconds() / rate}, err
		},
	}
}

// publishCurve is that of the MQTT gateway.
func publishCurve(g *gatewayProcess) curveSide {
	target := &publishTarget{process: g.Process, address: g.address}
	return curveSide{
		name: "PUBLISH to PUBACK",
		most: func(ctx context.Context, duration time.Duration) (float64, error) {
			report, err := target.publish(ctx, duration, 0)
			return float64(report.Acknowledged) / report.Elapsed.Seconds(), err
		},
		atRate: func(ctx context.Context, duration time.Duration, rate float64) (latencies, error) {
			report, err := target.publish(ctx, duration, rate)
			return latencies{report.Median, report.P99, float64(report.Acknowledged) / report.Elapsed.Seconds() / rate}, err
		},
	}
}

// measure finds the largest rate, and measures at parts of it.
func (c curveSide) measure(ctx context.Context, s size, n *neighbours) (rows []row, err error) {
	if _, err := c.most(ctx, s.warmUp); err != nil {
		return nil, err
	}
	var most sample[float64]
	for range 3 {
		rate, err := c.most(ctx, s.round)
		if err != nil {
			return nil, err
		}
		most = append(most, rate)
	}
	rows = []row{{figure: c.name + ", largest rate per second", value: whole(most.median()), span: most.span(whole)}}
	for _, load := range curveLoads {
		more, err := c.measureAt(ctx, s, n, load.name, most.median()*load.share)
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// measureAt measures at one rate.
func (c curveSide) measureAt(ctx context.Context, s size, n *neighbours, name string, rate float64) ([]row, error) {
	var medians, tails, bareMedians, bareTails, added sample[time.Duration]
	var reached sample[float64]
	for range s.rounds {
		bare, err := produceAtRate(ctx, n, rate, s.round)
		if err != nil {
			return nil, err
		}
		got, err := c.atRate(ctx, s.round, rate)
		if err != nil {
			return nil, err
		}
		bareTail := bare.quantile(0.99)
		medians, tails, reached = append(medians, got.median), append(tails, got.p99), append(reached, got.reached)
		bareMedians, bareTails, added = append(bareMedians, bare.median()), append(bareTails, bareTail), append(added, got.p99-bareTail)
	}
	figure := fmt.Sprintf("%s at %s, %.0f per second", c.name, name, rate)
	above := row{figure: figure + ", p99 above Kafka alone", value: millis(added.median()), span: added.span(millis)}
	if name == "half" {
		above.target, above.holds = "at most "+millis(maxAddedLatency), added.median() <= maxAddedLatency
	}
	if reached.median() < 0.98 {
		above.doubt = "only " + percent(reached.median()) + " of the rate was reached"
	}
	return []row{
		{figure: figure, value: "p50 " + millis(medians.median()), span: "p99 " + millis(tails.median())},
		{figure: "Kafka alone at this rate", value: "p50 " + millis(bareMedians.median()), span: "p99 " + millis(bareTails.median())},
		above,
	}, nil
}

// produceAtRate writes records like those of the gateway straight to Kafka, as a process that does nothing else.
func produceAtRate(ctx context.Context, n *neighbours, rate float64, duration time.Duration) (sample[time.Duration], error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers()...), kgo.ProducerLinger(0))
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	defer client.Close()
	count := int(rate * duration.Seconds())
	times, failures := make(sample[time.Duration], count), make(chan error, count)
	interval := time.Duration(float64(time.Second) / rate)
	began := time.Now()
	for i := range count {
		due := began.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(due))
		record := &kgo.Record{Topic: event.Topic(application), Key: []byte(benchUser(i % publishers)), Value: []byte(body())}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			times[i] = time.Since(due)
			failures <- err
		})
	}
	for range count {
		if err := <-failures; err != nil {
			return nil, fmt.Errorf("producing: %w", err)
		}
	}
	return times, nil
}
