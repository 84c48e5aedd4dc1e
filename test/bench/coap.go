package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// coapSessions send at once, each after the answer to its last request.
	coapSessions = 500

	// coapSettling is how long idle sessions are watched for the smallest memory of their server.
	coapSettling = 35 * time.Second

	maxCoAPSession  = 80  // KB of the gateway for an idle session
	maxCoAPCPURatio = 1.0 // processor time of a request, to that of the bare server

	// minCoAPRatio is the target of the gateway against the bare server, which stores nothing.
	minCoAPRatio = 0.6
)

// A coapBurst is one round of load on one CoAP server.
type coapBurst struct {
	perSecond    float64       // requests
	perMillion   time.Duration // processor time of the server for a million requests
	perHandshake time.Duration // processor time of the server
	median, p99  time.Duration
	timeouts     int
	busy         float64 // share of its cores that the load generator used
}

// measureCoAP has devices with DTLS sessions send to the gateway and to go-coap's bare server in turns.
func measureCoAP(ctx context.Context, s *scene) (rows []row, err error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	bursts := map[string][]coapBurst{}
	for _, command := range []string{coapBareCommand, coapGatewayCommand} {
		held, err := holdCoAP(ctx, n, command)
		if err != nil {
			return nil, err
		}
		rows = append(rows, held)
	}
	for round := range s.size.rounds + 1 {
		for _, command := range []string{coapBareCommand, coapGatewayCommand} {
			duration := s.size.round
			if round == 0 && command == coapGatewayCommand {
				duration = s.size.warmUp
			}
			b, err := coapRound(ctx, n, command, duration)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				bursts[command] = append(bursts[command], b)
			}
		}
	}
	return append(compareCoAP(bursts[coapBareCommand], bursts[coapGatewayCommand]), rows...), nil
}

// holdCoAP opens sessions at a server that do nothing, and tells what each of them takes of its memory.
func holdCoAP(ctx context.Context, n *neighbours, command string) (r row, err error) {
	server, address, err := startCoAP(ctx, n, command)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	load, err := beginCoAPLoad(ctx, address, 0)
	if err != nil {
		return r, err
	}
	defer load.end()
	before, err := server.Resident()
	if err != nil {
		return r, err
	}
	if err := load.connect(); err != nil {
		return r, err
	}
	after, err := smallestResident(ctx, coapSettling, server)
	if err != nil {
		return r, err
	}
	perSession := float64(after-before) / 1024 / coapSessions
	r = row{figure: command + ", KB of resident memory of an idle session", value: tenths(perSession)}
	if command == coapGatewayCommand {
		r.target, r.holds = fmt.Sprintf("at most %d", maxCoAPSession), perSession <= maxCoAPSession
	}
	return r, nil
}

// coapRound starts a server, puts load on it, and ends it.
func coapRound(ctx context.Context, n *neighbours, command string, duration time.Duration) (b coapBurst, err error) {
	server, address, err := startCoAP(ctx, n, command)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	load, err := beginCoAPLoad(ctx, address, duration)
	if err != nil {
		return b, err
	}
	defer load.end()
	idle, err := server.CPUTime()
	if err != nil {
		return b, err
	}
	if err := load.connect(); err != nil {
		return b, err
	}
	connected, err := server.CPUTime()
	if err != nil {
		return b, err
	}
	report, err := load.run()
	if err != nil {
		return b, err
	}
	after, err := server.CPUTime()
	if err != nil {
		return b, err
	}
	if report.Accepted == 0 || report.Refused > 0 {
		return b, fmt.Errorf("%s: %d requests were refused, so that the figures mean nothing", command, report.Refused)
	}
	return coapBurst{
		perSecond:    float64(report.Accepted) / report.Elapsed.Seconds(),
		perMillion:   time.Duration(float64(after-connected) * 1e6 / float64(report.Accepted)),
		perHandshake: (connected - idle) / coapSessions,
		median:       report.Median, p99: report.P99, timeouts: report.Timeouts, busy: report.Busy,
	}, nil
}

// startCoAP runs this program as one of the two servers.
func startCoAP(ctx context.Context, n *neighbours, command string) (*neighbour.Process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("looking for this program: %w", err)
	}
	port, err := neighbour.FreePort()
	if err != nil {
		return nil, "", err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	process, err := neighbour.StartProcess(ctx, neighbour.Command{
		Name: command, Path: self, Args: []string{command, "--address", address}, Env: n.settings(),
		Ready: func(ctx context.Context) error { return coapAnswers(ctx, address) },
	})
	return process, address, err
}

// A coapLoad is this program as the load generator.
type coapLoad struct{ *companion }

func beginCoAPLoad(ctx context.Context, address string, duration time.Duration) (*coapLoad, error) {
	c, err := startCompanion(ctx, os.Stderr, coapLoadCommand, "--address", address, "--duration", duration.String())
	return &coapLoad{c}, err
}

// connect has the load open its sessions.
func (l *coapLoad) connect() error {
	if _, err := l.out.ReadString('\n'); err != nil {
		return fmt.Errorf("opening sessions: %w", err)
	}
	return nil
}

// run has the load send.
func (l *coapLoad) run() (report coapReport, err error) {
	if _, err := io.WriteString(l.in, "\n"); err != nil {
		return report, fmt.Errorf("beginning the load: %w", err)
	}
	if err := json.NewDecoder(l.out).Decode(&report); err != nil {
		return report, fmt.Errorf("reading the report of the load: %w", err)
	}
	return report, nil
}

// compareCoAP makes the rows of two series of rounds.
func compareCoAP(bare, gateway []coapBurst) []row {
	var throughput, cpu sample[float64]
	for i := range bare {
		throughput = append(throughput, gateway[i].perSecond/bare[i].perSecond)
		cpu = append(cpu, float64(gateway[i].perMillion)/float64(bare[i].perMillion))
	}
	rows := append(describeCoAP("bare", bare), describeCoAP("gateway", gateway)...)
	return append(rows,
		ratioRow("processor time, gateway to bare", cpu, atMost(maxCoAPCPURatio)),
		ratioRow("requests per second, gateway to bare", throughput, atLeast(minCoAPRatio)),
		row{
			figure: "requests without an answer within 2 s, gateway", value: strconv.Itoa(timeouts(gateway)),
			target: "at most " + strconv.Itoa(timeouts(bare)), holds: timeouts(gateway) <= timeouts(bare),
		})
}

func timeouts(bursts []coapBurst) (count int) {
	for _, b := range bursts {
		count += b.timeouts
	}
	return count
}

func describeCoAP(name string, bursts []coapBurst) []row {
	var perSecond, cpu, handshakes, busy sample[float64]
	var median, p99 sample[time.Duration]
	for _, b := range bursts {
		perSecond = append(perSecond, b.perSecond)
		cpu = append(cpu, b.perMillion.Seconds())
		handshakes = append(handshakes, 1/b.perHandshake.Seconds())
		busy = append(busy, b.busy)
		median, p99 = append(median, b.median), append(p99, b.p99)
	}
	return []row{
		{figure: name + ", requests per second", value: whole(perSecond.median()), span: perSecond.span(whole)},
		busyRow(name, busy),
		{figure: name + ", processor seconds per million", value: tenths(cpu.median()), span: cpu.span(tenths)},
		{figure: name + ", request to answer", value: "p50 " + millis(median.median()), span: "p99 " + millis(p99.median())},
		{figure: name + ", handshakes per processor second", value: whole(handshakes.median()), span: handshakes.span(whole)},
	}
}
