package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

const (
	coapLoadCommand = "coap-load"

	// coapTimeout is when a device would send again (RFC 7252 section 4.8).
	coapTimeout = 2 * time.Second

	handshakeTimeout = 20 * time.Second

	// handshakesAtOnce keeps the start of a round from being a storm.
	handshakesAtOnce = 32
)

// A coapReport is what the CoAP load generator tells on its output.
type coapReport struct {
	Accepted int           `json:"accepted"` // answered with 2.04
	Refused  int           `json:"refused"`  // answered with anything else
	Timeouts int           `json:"timeouts"` // not answered within coapTimeout
	Elapsed  time.Duration `json:"elapsed"`
	Median   time.Duration `json:"median"` // of the time from request to answer
	P99      time.Duration `json:"p99"`
	Busy     float64       `json:"busy"` // share of its cores that the generator used
}

// loadCoAP opens sessions, says so with a line, waits for a line, sends until the time is over, and reports.
func loadCoAP(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(coapLoadCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the server, host:port")
	duration := flags.Duration("duration", time.Second, "how long to send")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	sessions, err := openSessions(ctx, *address)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(output, "connected"); err != nil {
		return err
	}
	switch _, err := bufio.NewReader(input).ReadString('\n'); {
	case errors.Is(err, io.EOF): // idle sessions are all that is wanted
		return nil
	case err != nil:
		return fmt.Errorf("waiting for the beginning: %w", err)
	}
	return json.NewEncoder(output).Encode(sendAll(sessions, *duration))
}

// openSessions does all handshakes, some at once.
func openSessions(ctx context.Context, address string) ([]*coapDevice, error) {
	sessions, problems := make([]*coapDevice, coapSessions), make([]error, coapSessions)
	places := make(chan struct{}, handshakesAtOnce)
	var opening sync.WaitGroup
	for i := range sessions {
		places <- struct{}{}
		opening.Go(func() {
			defer func() { <-places }()
			sessions[i], problems[i] = newCoAPDevice(ctx, address, benchUser(i%devices))
		})
	}
	opening.Wait()
	return sessions, errors.Join(problems...)
}

// A coapDevice is one session.
type coapDevice struct {
	conn     *dtls.Conn
	request  []byte
	answer   [2048]byte
	report   coapReport
	latency  sample[time.Duration]
	sequence uint16
}

func newCoAPDevice(ctx context.Context, address, identity string) (*coapDevice, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("finding the server: %w", err)
	}
	conn, err := dtls.DialWithOptions("udp", to,
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(benchPassword), nil }),
		dtls.WithPSKIdentityHint([]byte(identity)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256))
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	request, err := coapRequest()
	return &coapDevice{conn: conn, request: request}, err
}

// coapRequest is a confirmable POST of bodySize bytes.
func coapRequest() ([]byte, error) {
	m := message.Message{Type: message.Confirmable, Code: codes.POST, Token: make(message.Token, 4), Payload: bytes.Repeat([]byte("x"), bodySize)}
	for _, segment := range []string{"v1", "bench"} {
		m.Options = m.Options.Add(message.Option{ID: message.URIPath, Value: []byte(segment)})
	}
	size, err := coder.DefaultCoder.Size(m)
	if err != nil {
		return nil, fmt.Errorf("encoding a request: %w", err)
	}
	b := make([]byte, size)
	_, err = coder.DefaultCoder.Encode(m, b)
	return b, err
}

// sendAll runs all sessions to the same end.
func sendAll(sessions []*coapDevice, duration time.Duration) (report coapReport) {
	began, busy := time.Now(), startBusyness()
	end := began.Add(duration)
	var sending sync.WaitGroup
	for _, d := range sessions {
		sending.Go(func() {
			for time.Now().Before(end) {
				d.once()
			}
		})
	}
	sending.Wait()
	report.Elapsed, report.Busy = time.Since(began), busy.share()
	var latencies sample[time.Duration]
	for _, d := range sessions {
		report.Accepted += d.report.Accepted
		report.Refused += d.report.Refused
		report.Timeouts += d.report.Timeouts
		latencies = append(latencies, d.latency...)
	}
	if len(latencies) > 0 {
		report.Median, report.P99 = latencies.median(), latencies.quantile(0.99)
	}
	return report
}

// once sends a request and waits for its answer, piggybacked or separate.
func (d *coapDevice) once() {
	d.sequence++
	binary.BigEndian.PutUint16(d.request[2:], d.sequence)
	binary.BigEndian.PutUint16(d.request[4:], d.sequence) // token
	began := time.Now()
	_ = d.conn.SetReadDeadline(began.Add(coapTimeout))
	if _, err := d.conn.Write(d.request); err != nil {
		d.report.Refused++
		return
	}
	for {
		n, err := d.conn.Read(d.answer[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
			d.report.Timeouts++
			return
		case err != nil:
			d.report.Refused++
			return
		case n < 8 || !bytes.Equal(d.answer[4:8], d.request[4:8]):
			continue // an acknowledgement, or the answer to an earlier request
		}
		d.acknowledge()
		if d.answer[1] != byte(codes.Changed) {
			d.report.Refused++
			return
		}
		d.report.Accepted++
		d.latency = append(d.latency, time.Since(began))
		return
	}
}

// acknowledge acknowledges an answer that is a message of its own.
func (d *coapDevice) acknowledge() {
	if kind := message.Type(d.answer[0] >> 4 & 3); kind == message.Confirmable {
		_, _ = d.conn.Write([]byte{1<<6 | byte(message.Acknowledgement)<<4, 0, d.answer[2], d.answer[3]})
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
