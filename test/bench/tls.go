package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/tlspsk"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	tlsServerCommand = "tls-server"
	tlsLoadCommand   = "tls-load"

	// tlsWorkers make handshakes at the same time, each after the other.
	tlsWorkers = 8

	// tlsHeld connections are idle at once.
	tlsHeld = 2000

	// tlsGarbage is the number of ClientHellos that are none.
	tlsGarbage = 10_000

	// tlsSettling is how long the memory of the server is watched for its smallest value.
	tlsSettling = 15 * time.Second

	minKeyRatio  = 1.2  // handshakes with a key, against those with certificates, per processor time of the server
	maxKeyedIdle = 30.0 // KB of resident memory for a connection with a key
)

// What clients of TLS prove, as the load is told.
const (
	tlsKey         = "key"
	tlsCertificate = "certificate"
)

// A tlsReport is what the load tells.
type tlsReport struct {
	Handshakes int `json:"handshakes"`
}

var errNoKeys = errors.New(`bench was built without the tag psk: "make bench" has it, or go run -tags psk ./test/bench`)

// measureTLS has clients with keys and clients with certificates make handshakes with one server, in turns.
func measureTLS(ctx context.Context, s *scene) (rows []row, err error) {
	if !tlspsk.Available {
		return nil, errNoKeys
	}
	dir, err := os.MkdirTemp("", "fairlead-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	server, address, err := startTLS(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	perSecond := map[string]sample[float64]{}
	for round := range s.size.rounds + 1 {
		for _, kind := range []string{tlsKey, tlsCertificate} {
			rate, err := tlsRound(ctx, server, address, dir, kind, s.size.round)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first one warms up
				perSecond[kind] = append(perSecond[kind], rate)
			}
		}
	}
	rows = compareTLS(perSecond[tlsKey], perSecond[tlsCertificate])
	for _, kind := range []string{tlsKey, tlsCertificate} {
		r, err := idleTLS(ctx, dir, kind)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	garbage, err := garbageHellos(ctx)
	return append(rows, garbage), err
}

// startTLS runs this program as the server, which writes what its clients need into a folder.
func startTLS(ctx context.Context, dir string) (*neighbour.Process, string, error) {
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
		Name: tlsServerCommand, Path: self, Args: []string{tlsServerCommand, "--address", address, "--folder", dir},
		Ready: func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	})
	return process, address, err
}

// tlsRound is the number of handshakes of a kind that the server does in a second of processor time.
func tlsRound(ctx context.Context, server *neighbour.Process, address, dir, kind string, duration time.Duration) (perSecond float64, err error) {
	before, err := server.CPUTime()
	if err != nil {
		return 0, err
	}
	load, err := beginTLSLoad(ctx, "--address", address, "--folder", dir, "--kind", kind, "--duration", duration.String())
	if err != nil {
		return 0, err
	}
	report, err := load.report()
	if err := errors.Join(err, load.end()); err != nil {
		return 0, err
	}
	after, err := server.CPUTime()
	if err != nil {
		return 0, err
	}
	return float64(report.Handshakes) / (after - before).Seconds(), nil
}

func compareTLS(keys, certificates sample[float64]) []row {
	var ratios sample[float64]
	for i := range keys {
		ratios = append(ratios, keys[i]/certificates[i])
	}
	return []row{
		{
			figure: "handshakes with a key against handshakes with certificates, per processor time of the server", value: ratio(ratios.median()),
			span: ratios.span(ratio), target: "at least " + ratio(minKeyRatio), holds: ratios.median() >= minKeyRatio,
		},
		{figure: "handshakes with a key per second of processor time", value: whole(keys.median()), span: keys.span(whole)},
		{figure: "handshakes with certificates per second of processor time", value: whole(certificates.median()), span: certificates.span(whole)},
	}
}

// idleTLS is the memory of a server, of its own, for each of many connections that do nothing.
func idleTLS(ctx context.Context, dir, kind string) (r row, err error) {
	server, address, err := startTLS(ctx, dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	few, err := beginTLSLoad(ctx, "--address", address, "--folder", dir, "--kind", kind, "--hold", "10") // what the first ones cost is not theirs
	if err != nil {
		return r, err
	}
	if _, err := few.report(); err != nil {
		return r, errors.Join(err, few.end())
	}
	before, err := smallestResident(ctx, tlsSettling, server)
	if err != nil {
		return r, errors.Join(err, few.end())
	}
	load, err := beginTLSLoad(ctx, "--address", address, "--folder", dir, "--kind", kind, "--hold", strconv.Itoa(tlsHeld))
	if err != nil {
		return r, errors.Join(err, few.end())
	}
	_, err = load.report()
	after := int64(0)
	if err == nil {
		after, err = smallestResident(ctx, tlsSettling, server)
	}
	if err := errors.Join(err, load.end(), few.end()); err != nil {
		return r, err
	}
	kilobytes := float64(after-before) / 1024 / tlsHeld
	r = row{figure: fmt.Sprintf("resident memory of each of %d idle connections with a %s", tlsHeld, kind), value: tenths(kilobytes) + " KB"}
	if kind == tlsKey {
		r.target, r.holds = "at most "+tenths(maxKeyedIdle)+" KB", kilobytes <= maxKeyedIdle
	}
	return r, nil
}

// A tlsClients is this program as the load.
type tlsClients struct{ *companion }

func beginTLSLoad(ctx context.Context, arguments ...string) (*tlsClients, error) {
	c, err := startCompanion(ctx, os.Stderr, append([]string{tlsLoadCommand}, arguments...)...)
	return &tlsClients{c}, err
}

// report waits for what the load tells when it has made its handshakes.
func (l *tlsClients) report() (r tlsReport, err error) {
	line, err := l.out.ReadBytes('\n')
	if err != nil {
		return r, fmt.Errorf("waiting for the report of the load: %w", err)
	}
	return r, json.Unmarshal(line, &r)
}
