package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	idleCommand = "idle"

	// idleConnections are held at once, each by a device of its own.
	idleConnections = 10_000

	// dialers connect at the same time.
	dialers = 64

	// registrars write devices at the same time.
	registrars = 8

	// settling is how long the resident memory of the gateway is watched for its smallest value after the last log-in: what
	// logging in has left behind goes half a minute after the gateway has become idle.
	settling = 75 * time.Second

	maxIdleTCP = 8.0 // KB of resident memory for a connection
	maxIdleTLS = 30.0
)

func idleName(i int) string { return fmt.Sprintf("idle%d", i) }

// An idleReport is what the process that holds connections tells once it has them.
type idleReport struct {
	Connected int           `json:"connected"`
	Elapsed   time.Duration `json:"elapsed"`
}

// idle connects, reports, and holds the connections until its input ends.
func idle(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(idleCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the gateway, host:port")
	authority := flags.String("authority", "", "file of the certificate to trust; empty: no TLS")
	first := flags.Int("first", 0, "number of the first device")
	count := flags.Int("connections", idleConnections, "how many")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	dial, err := dialerOf(*address, *authority)
	if err != nil {
		return err
	}
	began := time.Now()
	clients, err := connectAll(ctx, dial, *count, application, func(i int) string { return idleName(*first + i) })
	if err != nil {
		return err
	}
	if err := json.NewEncoder(output).Encode(idleReport{len(clients), time.Since(began)}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, input)
	for _, c := range clients {
		_ = c.Close()
	}
	return err
}

func dialerOf(address, authority string) (mqttclient.Dialer, error) {
	if authority == "" {
		return spread(address), nil
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	return func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }, nil
}

// connectAll logs devices of an application in, again after a moment where the gateway sheds load.
func connectAll(ctx context.Context, dial mqttclient.Dialer, count int, application string, name func(int) string) ([]*mqttclient.Client, error) {
	clients := make([]*mqttclient.Client, count)
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, dialers)
	for range dialers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				var err error
				for attempt := 0; attempt < 50; attempt++ {
					if clients[i], err = mqttclient.Dial(ctx, dial, name(i), name(i)+"@"+application, benchPassword); err == nil {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if err != nil {
					failures <- err
					return
				}
				clients[i].Reader = nil // an idle client reads nothing
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
		return clients, nil
	}
}

// measureIdle holds connections over TCP and then over TLS, each on a gateway of its own, and divides what its resident memory
// has grown by.
func measureIdle(ctx context.Context, s *scene) ([]row, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.registerIdle(ctx, idleConnections); err != nil {
		return nil, err
	}
	var rows []row
	for _, transport := range []struct {
		name   string
		secure bool
		limit  float64
	}{{"TCP", false, maxIdleTCP}, {"TLS", true, maxIdleTLS}} {
		g, _, err := s.gateway(ctx)
		if err != nil {
			return nil, err
		}
		address, authority := g.address, ""
		if transport.secure {
			address, authority = g.secure, g.authority
		}
		report, kilobytes, err := hold(ctx, g.Process, address, authority)
		if err != nil {
			return nil, fmt.Errorf("over %s: %w", transport.name, errors.Join(err, g.Close()))
		}
		rows = append(rows,
			row{
				figure: fmt.Sprintf("%s, resident memory of each of %d idle connections", transport.name, report.Connected),
				value:  tenths(kilobytes) + " KB", target: "at most " + tenths(transport.limit) + " KB", holds: kilobytes <= transport.limit,
			},
			row{figure: transport.name + ", log-ins per second", value: whole(float64(report.Connected) / report.Elapsed.Seconds())},
		)
		if err := g.Stop(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// hold has a process connect, and finds the smallest resident memory of the gateway while it holds the connections.
func hold(ctx context.Context, gateway *neighbour.Process, address, authority string) (report idleReport, kilobytes float64, err error) {
	before, err := gateway.Resident()
	if err != nil {
		return report, 0, err
	}
	holder, report, err := startHolder(ctx, address, authority, 0, idleConnections)
	if err != nil {
		return report, 0, err
	}
	smallest, err := smallestResident(ctx, settling, gateway)
	if err = errors.Join(err, holder.end()); err != nil {
		return report, 0, err
	}
	return report, float64(smallest-before) / 1024 / float64(report.Connected), nil
}

// startHolder has a process connect so many devices from the first on, and returns when it holds the connections.
func startHolder(ctx context.Context, address, authority string, first, connections int) (*companion, idleReport, error) {
	var report idleReport
	var log bytes.Buffer
	holder, err := startCompanion(ctx, &log, idleCommand, "--address", address, "--authority", authority,
		"--first", strconv.Itoa(first), "--connections", strconv.Itoa(connections))
	if err != nil {
		return nil, report, err
	}
	line, err := holder.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &report)
	}
	if err != nil {
		return nil, report, errors.Join(fmt.Errorf("connecting: %w", err), holder.end(), errors.New(log.String()))
	}
	return holder, report, nil
}

// smallestResident watches the resident memory of processes together.
func smallestResident(ctx context.Context, settling time.Duration, processes ...*neighbour.Process) (smallest int64, err error) {
	end := time.NewTimer(settling)
	defer end.Stop()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		var now int64
		for _, p := range processes {
			resident, err := p.Resident()
			if err != nil {
				return 0, err
			}
			now += resident
		}
		if smallest == 0 || now < smallest {
			smallest = now
		}
		select {
		case <-ticker.C:
		case <-end.C:
			return smallest, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// registerIdle registers the devices. Their passwords are plain, so that logging in is not a matter of hashes.
func (n *neighbours) registerIdle(ctx context.Context, count int) error {
	return n.register(ctx, count, func(i int) (*registry.Device, error) {
		device, err := benchDevice(i, registry.Password{Kind: registry.PlainPassword, Value: benchPassword})
		if err == nil {
			device.Metadata.Name = idleName(i)
		}
		return device, err
	})
}

// register registers devices, several at once.
func (n *neighbours) register(ctx context.Context, count int, device func(int) (*registry.Device, error)) (err error) {
	store, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, registrars)
	for range registrars {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				d, err := device(i)
				if err == nil {
					_, err = store.ApplyDevice(ctx, d)
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return fmt.Errorf("registering devices: %w", err)
	default:
		return nil
	}
}
