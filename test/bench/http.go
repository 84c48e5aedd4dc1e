package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// Targets of telemetry against the bare server.
const (
	maxCPURatio        = 1.5
	minThroughputRatio = 0.6
)

// A burst is one round of load on one server.
type burst struct {
	perSecond  float64       // requests
	perMillion time.Duration // processor time of the server for a million requests
	median     time.Duration // of the time from request to answer
	p99        time.Duration
	broker     time.Duration // processor time of Kafka for a million requests
	busy       float64       // share of its core that the load generator used
}

// measureHTTP puts the same load on the two servers in turns. Both run all the time; who has no load uses no processor.
// Only ratios of neighbouring rounds are compared: what else happens on the machine meets both.
func measureHTTP(ctx context.Context, s *scene) (rows []row, err error) {
	telemetry, n, err := s.telemetry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, telemetry.Close()) }()
	bare, bareAddress, err := startBare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()

	sides := []*side{
		{process: bare, address: bareAddress, broker: n.kafka.Process},
		{process: telemetry.Process, address: telemetry.Address(), broker: n.kafka.Process},
	}
	for i, warmUp := range []time.Duration{s.size.round, s.size.warmUp} {
		if _, err := sides[i].load(ctx, warmUp); err != nil {
			return nil, err
		}
	}
	if err := s.rounds(ctx, sides); err != nil {
		return nil, err
	}
	return compare(sides[0].bursts, sides[1].bursts), nil
}

// rounds puts load on the sides in turns.
func (s *scene) rounds(ctx context.Context, sides []*side) error {
	for round := range s.size.rounds {
		// First one then the other goes first, so that what changes slowly favours neither.
		for i := range sides {
			side := sides[(i+round)%len(sides)]
			b, err := side.load(ctx, s.size.round)
			if err != nil {
				return err
			}
			side.bursts = append(side.bursts, b)
		}
	}
	return nil
}

// startBare runs this program as the bare server.
func startBare(ctx context.Context) (*neighbour.Process, string, error) {
	return startSelf(ctx, bareCommand)
}

// accepts is ready when somebody listens at an address.
func accepts(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	}
}

// A side is one of the two servers, and what was measured of it.
type side struct {
	process *neighbour.Process
	address string
	broker  *neighbour.Process
	bursts  []burst

	loadArguments []string // further ones of the load generator
}

// load runs the load generator and takes the processor times around it.
func (s *side) load(ctx context.Context, duration time.Duration) (burst, error) {
	before, err := cpuTimes(s.process, s.broker)
	if err != nil {
		return burst{}, err
	}
	report, err := runLoad(ctx, s.address, duration, s.loadArguments...)
	if err != nil {
		return burst{}, err
	}
	after, err := cpuTimes(s.process, s.broker)
	if err != nil {
		return burst{}, err
	}
	if report.Refused > 0 || report.Accepted == 0 {
		return burst{}, fmt.Errorf("requests were refused, so that the figures mean nothing: answers by status %v", report.Statuses)
	}
	perMillion := func(i int) time.Duration {
		return time.Duration(float64(after[i]-before[i]) * 1e6 / float64(report.Accepted))
	}
	return burst{
		perSecond:  float64(report.Accepted) / report.Elapsed.Seconds(),
		perMillion: perMillion(0),
		broker:     perMillion(1),
		median:     report.Median,
		p99:        report.P99,
		busy:       report.Busy,
	}, nil
}

func cpuTimes(processes ...*neighbour.Process) ([]time.Duration, error) {
	times := make([]time.Duration, len(processes))
	for i, p := range processes {
		var err error
		if times[i], err = p.CPUTime(); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// runLoad runs this program as the load generator.
func runLoad(ctx context.Context, address string, duration time.Duration, more ...string) (report loadReport, err error) {
	self, err := os.Executable()
	if err != nil {
		return loadReport{}, fmt.Errorf("looking for this program: %w", err)
	}
	arguments := []string{loadCommand, "--address", address, "--devices", strconv.Itoa(devices), "--duration", duration.String()}
	command := exec.CommandContext(ctx, self, append(arguments, more...)...)
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		return loadReport{}, fmt.Errorf("generating load: %w\n%s", err, problems.Bytes())
	}
	if err := json.Unmarshal(output, &report); err != nil {
		return loadReport{}, fmt.Errorf("reading the report of the load: %w", err)
	}
	return report, nil
}

// compare makes the rows of two series of rounds.
func compare(bare, telemetry []burst) []row {
	var throughput, cpu sample[float64]
	for i := range bare {
		throughput = append(throughput, telemetry[i].perSecond/bare[i].perSecond)
		cpu = append(cpu, float64(telemetry[i].perMillion)/float64(bare[i].perMillion))
	}
	rows := append(describe("bare", bare), describe("telemetry", telemetry)...)
	broker := each(telemetry, func(b burst) float64 { return b.broker.Seconds() })
	return append(rows,
		row{figure: "kafka meanwhile, processor seconds per million", value: tenths(broker.median()), span: broker.span(tenths)},
		ratioRow("processor time, telemetry to bare", cpu, atMost(maxCPURatio)),
		ratioRow("throughput, telemetry to bare", throughput, atLeast(minThroughputRatio)))
}

func describe(name string, bursts []burst) []row {
	perSecond := each(bursts, func(b burst) float64 { return b.perSecond })
	cpu := each(bursts, func(b burst) float64 { return b.perMillion.Seconds() })
	median := each(bursts, func(b burst) time.Duration { return b.median })
	p99 := each(bursts, func(b burst) time.Duration { return b.p99 })
	return []row{
		{figure: name + ", requests per second", value: whole(perSecond.median()), span: perSecond.span(whole)},
		{figure: name + ", processor seconds per million", value: tenths(cpu.median()), span: cpu.span(tenths)},
		busyRow(name, each(bursts, func(b burst) float64 { return b.busy })),
		{figure: name + ", request to answer", value: "p50 " + millis(median.median()), span: "p99 " + millis(p99.median())},
	}
}

func each[T ~int64 | ~float64](bursts []burst, f func(burst) T) (values sample[T]) {
	for _, b := range bursts {
		values = append(values, f(b))
	}
	return values
}
