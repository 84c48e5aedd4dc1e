package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// Targets of the MQTT gateway.
const (
	minPublishesPerCPU = 50_000.0 // acknowledged, of 100 bytes, in a processor second of the gateway
	maxMosquittoRatio  = 0.5      // processor time for a message, gateway to mosquitto

	fewPerSecond = 500.0 // messages, where little happens
	fewRounds    = 3     // such a round is as long as this many others, so that log-ins weigh little in it
	maxFewRatio  = 3.0   // processor time of the gateway for a message then, to that under full load
)

// A publishing is one round of publishers on one server.
type publishing struct {
	perSecond float64
	perCPU    float64       // messages in a processor second of the server
	broker    time.Duration // processor time of Kafka for a million messages
	busy      float64       // share of their core that the publishers used
}

// measureMQTT puts the same load on the gateway and on mosquitto, which forwards it to one subscriber, in turns.
func measureMQTT(ctx context.Context, s *scene) (rows []row, err error) {
	gateway, n, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	mosquitto, stop, err := startMosquitto(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ours := &publishTarget{process: gateway.Process, broker: n.kafka.Process, address: gateway.address}
	theirs := &publishTarget{process: mosquitto.Process, address: fmt.Sprintf("%s:%d", mosquitto.Host(), mosquitto.Port()), anonymous: true}
	for target, warmUp := range map[*publishTarget]time.Duration{ours: s.size.warmUp, theirs: s.size.round} {
		if _, err := target.publish(ctx, warmUp, 0); err != nil {
			return nil, err
		}
	}
	few, fewTheirs := *ours, *theirs
	few.rate, fewTheirs.rate = fewPerSecond, fewPerSecond
	for range s.size.rounds {
		for _, target := range []*publishTarget{ours, theirs, &few, &fewTheirs} {
			if err := target.round(ctx, s.size.round); err != nil {
				return nil, err
			}
		}
	}
	return append(comparePublishing(ours.rounds, theirs.rounds), compareFew(few.rounds, fewTheirs.rounds, ours.rounds)...), nil
}

// startMosquitto starts the broker and its one subscriber.
func startMosquitto(ctx context.Context) (*neighbour.Mosquitto, func() error, error) {
	broker, err := neighbour.StartMosquitto(ctx)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, errors.Join(err, broker.Close())
	}
	sink, err := neighbour.StartProcess(ctx, neighbour.Command{
		Name: "sink", Path: self, Args: []string{mqttSinkCommand, "--address", fmt.Sprintf("%s:%d", broker.Host(), broker.Port())},
	})
	if err != nil {
		return nil, nil, errors.Join(err, broker.Close())
	}
	return broker, func() error { return errors.Join(sink.Close(), broker.Close()) }, nil
}

// A publishTarget is a server that publishers connect to.
type publishTarget struct {
	process   *neighbour.Process
	broker    *neighbour.Process // nil without Kafka
	address   string
	anonymous bool
	rate      float64 // messages in a second; 0: as many as are acknowledged
	rounds    []publishing
}

// publish runs this program as the publishers.
func (p *publishTarget) publish(ctx context.Context, duration time.Duration, rate float64) (report publishReport, err error) {
	self, err := os.Executable()
	if err != nil {
		return report, fmt.Errorf("looking for this program: %w", err)
	}
	command := exec.CommandContext(ctx, self, mqttLoadCommand, "--address", p.address, "--duration", duration.String(),
		"--rate", strconv.FormatFloat(rate, 'f', 1, 64), "--anonymous="+strconv.FormatBool(p.anonymous))
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		return report, fmt.Errorf("publishing: %w\n%s", err, problems.Bytes())
	}
	if err := json.Unmarshal(output, &report); err != nil {
		return report, fmt.Errorf("reading the report of the publishers: %w", err)
	}
	if report.Acknowledged == 0 {
		return report, errors.New("nothing was acknowledged")
	}
	return report, nil
}

// round publishes and takes the processor times around it. Connecting is part of it: a hundred log-ins, which the gateway has
// decided before, weigh little beside some hundred thousand messages, and where there are few messages the round is longer.
func (p *publishTarget) round(ctx context.Context, duration time.Duration) error {
	if p.rate > 0 {
		duration *= fewRounds
	}
	processes := []*neighbour.Process{p.process}
	if p.broker != nil {
		processes = append(processes, p.broker)
	}
	before, err := cpuTimes(processes...)
	if err != nil {
		return err
	}
	report, err := p.publish(ctx, duration, p.rate)
	if err != nil {
		return err
	}
	after, err := cpuTimes(processes...)
	if err != nil {
		return err
	}
	r := publishing{
		perSecond: float64(report.Acknowledged) / report.Elapsed.Seconds(),
		perCPU:    float64(report.Acknowledged) / (after[0] - before[0]).Seconds(),
		busy:      report.Busy,
	}
	if p.broker != nil {
		r.broker = time.Duration(float64(after[1]-before[1]) * 1e6 / float64(report.Acknowledged))
	}
	p.rounds = append(p.rounds, r)
	return nil
}

func comparePublishing(ours, theirs []publishing) []row {
	var costs sample[float64]
	for i := range ours {
		costs = append(costs, theirs[i].perCPU/ours[i].perCPU)
	}
	of := func(rounds []publishing, f func(publishing) float64) (values sample[float64]) {
		for _, r := range rounds {
			values = append(values, f(r))
		}
		return values
	}
	speed := func(r publishing) float64 { return r.perSecond }
	cpu := func(r publishing) float64 { return r.perCPU }
	busy := func(r publishing) float64 { return r.busy }
	perCPU, broker := of(ours, cpu), of(ours, func(r publishing) float64 { return r.broker.Seconds() })
	return []row{
		{figure: "gateway, messages per second", value: whole(of(ours, speed).median()), span: of(ours, speed).span(whole)},
		busyRow("gateway", of(ours, busy)),
		{figure: "mosquitto, messages per second", value: whole(of(theirs, speed).median()), span: of(theirs, speed).span(whole)},
		busyRow("mosquitto", of(theirs, busy)),
		{figure: "mosquitto, messages per processor second", value: whole(of(theirs, cpu).median()), span: of(theirs, cpu).span(whole)},
		{figure: "kafka meanwhile, processor seconds per million", value: tenths(broker.median()), span: broker.span(tenths)},
		{
			figure: "gateway, messages per processor second", value: whole(perCPU.median()), span: perCPU.span(whole),
			target: "at least " + whole(minPublishesPerCPU), holds: perCPU.median() >= minPublishesPerCPU,
		},
		ratioRow("processor time of a message, gateway to mosquitto", costs, atMost(maxMosquittoRatio)),
	}
}

// compareFew tells what a message costs where there are few, beside what it costs mosquitto then and the gateway under full load.
func compareFew(few, theirs, full []publishing) []row {
	var cost, broker, toFull, toTheirs sample[float64]
	for i := range few {
		cost, broker = append(cost, 1e6/few[i].perCPU), append(broker, few[i].broker.Seconds())
		toFull, toTheirs = append(toFull, full[i].perCPU/few[i].perCPU), append(toTheirs, theirs[i].perCPU/few[i].perCPU)
	}
	name := fmt.Sprintf("at %.0f messages per second", fewPerSecond)
	return []row{
		{figure: name + ", processor µs of the gateway for a message", value: tenths(cost.median()), span: cost.span(tenths)},
		{figure: name + ", of Kafka", value: tenths(broker.median()), span: broker.span(tenths)},
		ratioRow(name+", processor time of a message, gateway to mosquitto", toTheirs, goal{}),
		ratioRow(name+", processor time of a message to that under full load", toFull, atMost(maxFewRatio)),
	}
}
