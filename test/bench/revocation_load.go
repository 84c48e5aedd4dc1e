package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	heldCommand = "held"

	// sources are addresses of the loopback interface that clients connect from, since one has ports for 28,000.
	sources = 8

	// endsLimit is how long the ends of sessions are waited for.
	endsLimit = 2 * time.Minute
)

// holdSessions opens sessions of devices of one application, says so with a line, and tells when each was closed, once all are
// or the input ends.
func holdSessions(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(heldCommand, flag.ContinueOnError)
	mqtt := flags.String("mqtt", "", "address of the MQTT gateway, host:port")
	dtls := flags.String("dtls", "", "address of CoAP over DTLS, host:port")
	application := flags.String("application", withdrawnApplication, "of the devices")
	first := flags.Int("first", 0, "number of the first device")
	count := flags.Int("count", 0, "how many")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	name := func(i int) string { return deviceName(*first + i) }
	var reads []func() error
	if *mqtt != "" {
		clients, err := connectAll(ctx, spread(*mqtt), *count, *application, name)
		if err != nil {
			return err
		}
		for _, c := range clients {
			reads = append(reads, func() error { return readOne(c.Conn) })
		}
	}
	if *dtls != "" {
		sessions, err := openDTLS(ctx, *dtls, *count, func(i int) string { return name(i) + "@" + *application })
		if err != nil {
			return err
		}
		for _, s := range sessions {
			reads = append(reads, func() error { return readOne(s.conn) })
		}
	}
	if _, err := fmt.Fprintln(output, "connected"); err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(endsOf(reads, input))
}

// endsOf are the times, in microseconds, at which connections were closed; of those that are open when the input ends there
// is none.
func endsOf(reads []func() error, input io.Reader) []int64 {
	var mu sync.Mutex
	ends := make([]int64, 0, len(reads))
	var open sync.WaitGroup
	for _, read := range reads {
		open.Go(func() {
			for read() == nil {
			}
			now := time.Now().UnixMicro()
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, now)
		})
	}
	all, given := make(chan struct{}), make(chan struct{})
	go func() { open.Wait(); close(all) }()
	go func() { _, _ = io.Copy(io.Discard, input); close(given) }()
	select {
	case <-all:
	case <-given:
	}
	mu.Lock()
	defer mu.Unlock()
	return append([]int64{}, ends...)
}

func readOne(c net.Conn) error {
	var b [64]byte
	_, err := c.Read(b[:])
	return err
}

// spread is a dialer that takes turns with its own address.
func spread(address string) mqttclient.Dialer {
	var turn atomic.Int64
	return func(ctx context.Context) (net.Conn, error) {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+turn.Add(1)%sources))}
		return (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", address)
	}
}

// openDTLS opens sessions, and sends a message in each, so that the gateway has admitted the device.
func openDTLS(ctx context.Context, address string, count int, identity func(int) string) ([]*coapDevice, error) {
	sessions, problems := make([]*coapDevice, count), make([]error, count)
	places := make(chan struct{}, handshakesAtOnce)
	var opening sync.WaitGroup
	for i := range sessions {
		places <- struct{}{}
		opening.Go(func() {
			defer func() { <-places }()
			sessions[i], problems[i] = admittedDevice(ctx, address, identity(i))
		})
	}
	opening.Wait()
	return sessions, errors.Join(problems...)
}

func admittedDevice(ctx context.Context, address, identity string) (*coapDevice, error) {
	d, err := newCoAPDevice(ctx, address, identity)
	if err != nil {
		return nil, err
	}
	for range 5 {
		if d.once(); d.report.Accepted > 0 {
			return d, d.conn.SetReadDeadline(time.Time{})
		}
	}
	return nil, fmt.Errorf("no message of %s is accepted", identity)
}

// heldSessions is this program as the holder of sessions.
type heldSessions struct {
	*companion
	count int
	log   strings.Builder
}

func holdElsewhere(ctx context.Context, kind, address string, first, count int, more ...string) (h *heldSessions, err error) {
	h = &heldSessions{count: count}
	arguments := []string{heldCommand, kind, address, "--first", strconv.Itoa(first), "--count", strconv.Itoa(count)}
	h.companion, err = startCompanion(ctx, &h.log, append(arguments, more...)...)
	return h, err
}

func (h *heldSessions) connected() error {
	if _, err := h.out.ReadString('\n'); err != nil {
		h.end()
		return fmt.Errorf("opening sessions: %w\n%s", err, h.log.String())
	}
	return nil
}

// ends waits until all sessions are closed, and tells how long after a time.
func (h *heldSessions) ends(began time.Time) (times sample[time.Duration], err error) {
	stop := time.AfterFunc(endsLimit, func() { _ = h.in.Close() })
	defer stop.Stop()
	var at []int64
	if err := json.NewDecoder(h.out).Decode(&at); err != nil {
		return nil, fmt.Errorf("reading when sessions were closed: %w", err)
	}
	for _, micros := range at {
		times = append(times, time.UnixMicro(micros).Sub(began))
	}
	if len(at) < h.count {
		return times, fmt.Errorf("only %d of %d sessions were closed within %v", len(at), h.count, endsLimit)
	}
	return times, nil
}
