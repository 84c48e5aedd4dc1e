package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/postgres"
)

// topicsAtOnce are made with one request.
const topicsAtOnce = 100

// spreadApplication is one of so many applications that devices are spread over.
func spreadApplication(applications, i int) string {
	return fmt.Sprintf("spread-%d-%d", applications, i)
}

// growApplications has as many devices publish at the same rate, spread over ever more applications, each time through a gateway of its
// own.
func growApplications(ctx context.Context, s *scene) (rows []row, err error) {
	sizes := s.size.growth.applications
	first, n, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	connections := max(publishers, sizes[len(sizes)-1])
	var costs, brokers, memory []float64
	for _, applications := range sizes {
		if err := n.spreadDevices(ctx, applications, connections); err != nil {
			return rows, err
		}
		c, err := s.publishSpread(ctx, first, n, applications, connections)
		if err != nil {
			return rows, fmt.Errorf("with %d: %w", applications, err)
		}
		costs, brokers, memory = append(costs, c.gateway), append(brokers, c.kafka), append(memory, c.memory)
		name := fmt.Sprintf("%d applications, %d devices", applications, connections)
		rows = append(rows,
			row{
				figure: name + ", PUBLISH to PUBACK", value: "p50 " + millis(c.times.median()), span: "p99 " + millis(c.times.quantile(0.99)),
			},
			row{figure: name + ", processor time of the gateway for a message", value: whole(c.gateway) + " µs", span: whole(c.kafka) + " µs of Kafka"},
			row{figure: name + ", memory of the gateway for a device", value: tenths(c.memory) + " KB"},
			busyRow(name, sample[float64]{c.busy}))
	}
	fewest, most, last := sizes[0], sizes[len(sizes)-1], len(sizes)-1
	return append(rows, growthRow("processor time of a message, by applications", fewest, most, costs[0], costs[last]),
		row{figure: fmt.Sprintf("processor time of Kafka for a message, by applications, %d to %d", most, fewest), value: ratio(brokers[last] / brokers[0])},
		row{
			figure: fmt.Sprintf("memory of the gateway for one more application, up to %d", most),
			value:  tenths((memory[last]-memory[0])*float64(connections)/float64(most-fewest)) + " KB",
		}), nil
}

// A spreadCost is what messages of devices of many applications cost.
type spreadCost struct {
	times          sample[time.Duration]
	gateway, kafka float64 // µs of processor time for a message
	memory         float64 // KB of the gateway for a device
	busy           float64 // share of its core that the load used
}

func (s *scene) publishSpread(ctx context.Context, first *gatewayProcess, n *neighbours, applications, connections int) (c spreadCost, err error) {
	g, err := startGateway(ctx, *s.gateways, n, first.judge)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	empty, err := g.Resident()
	if err != nil {
		return c, err
	}
	load, err := beginSteady(ctx, g.address, "--connections", strconv.Itoa(connections), "--applications", strconv.Itoa(applications))
	if err != nil {
		return c, err
	}
	time.Sleep(s.size.growth.publish) // the first messages meet topics that the gateway does not know
	before, err := cpuTimes(g.Process, n.kafka.Process)
	if err != nil {
		return c, errors.Join(err, load.end())
	}
	began := time.Now()
	time.Sleep(s.size.growth.publish)
	ended := time.Now()
	after, err := cpuTimes(g.Process, n.kafka.Process)
	if err != nil {
		return c, errors.Join(err, load.end())
	}
	resident, err := g.Resident()
	if err != nil {
		return c, errors.Join(err, load.end())
	}
	report, err := load.finish()
	if err != nil {
		return c, err
	}
	c.times, c.busy = report.between(began, ended), report.Busy
	if len(c.times) == 0 {
		return c, errors.New("nothing was published")
	}
	per := func(i int) float64 { return float64((after[i] - before[i]).Microseconds()) / float64(len(c.times)) }
	c.gateway, c.kafka, c.memory = per(0), per(1), float64(resident-empty)/1024/float64(connections)
	return c, nil
}

// spreadDevices registers devices that belong to applications in turns, and makes the topics.
func (n *neighbours) spreadDevices(ctx context.Context, applications, devices int) (err error) {
	store, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var topics []string
	for i := range applications {
		name := spreadApplication(applications, i)
		if _, err := store.ApplyApplication(ctx, &registry.Application{Metadata: registry.Metadata{Name: name}}); err != nil {
			return err
		}
		topics = append(topics, event.Topic(name))
	}
	for some := range slices.Chunk(topics, topicsAtOnce) {
		if err := kafka.EnsureTopics(ctx, n.config(), 1, some...); err != nil {
			return err
		}
	}
	return n.register(ctx, devices, func(i int) (*registry.Device, error) {
		d, err := plainDevice(i)
		if err == nil {
			d.Metadata.Application = spreadApplication(applications, i%applications)
		}
		return d, err
	})
}
