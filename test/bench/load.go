package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"
)

const (
	loadCommand = "load"

	// connections are open at once, each with one request on its way.
	connections = 64

	// answerTimeout bounds one answer. It is longer than any server here takes, those that wait for a Kafka that is away too.
	answerTimeout = 40 * time.Second
)

// A loadReport is what the load generator tells on its output.
type loadReport struct {
	Accepted int           `json:"accepted"` // answered with 202
	Refused  int           `json:"refused"`  // answered with anything else
	Statuses map[int]int   `json:"statuses"`
	Elapsed  time.Duration `json:"elapsed"`
	Median   time.Duration `json:"median"` // of the time from request to answer
	P99      time.Duration `json:"p99"`
	Busy     float64       `json:"busy"` // share of its core that the generator used
}

// load posts on all connections until the time is over and reports.
func load(ctx context.Context, arguments []string, output io.Writer) error {
	flags := flag.NewFlagSet(loadCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the server, host:port")
	devices := flags.Int("devices", 1, "number of devices that the connections are shared among")
	duration := flags.Duration("duration", time.Second, "how long to post")
	rate := flags.Float64("rate", 0, "requests in a second of all connections, whatever the answers; 0: each connection waits for the answer")
	certificate := flags.String("certificate", "", "file of the certificate that is shown over TLS; empty: no TLS")
	key := flags.String("key", "", "file of its key")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	secure, err := clientTLS(*certificate, *key)
	if err != nil {
		return err
	}
	// One processor is enough to keep the servers busy, and handing over between two costs what the servers could use.
	runtime.GOMAXPROCS(1)
	senders, err := dialSenders(ctx, *address, *devices, secure)
	if err != nil {
		return err
	}
	report, err := postAll(senders, *duration, *rate/connections)
	if err != nil {
		return err
	}
	return json.NewEncoder(output).Encode(report)
}

// clientTLS is the configuration of a client that shows a certificate and believes any server; nil without one.
func clientTLS(certificate, key string) (*tls.Config, error) {
	if certificate == "" {
		return nil, nil //nolint:nilnil // nil is no TLS
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}, nil //nolint:gosec // the server is ours
}

func dialSenders(ctx context.Context, address string, devices int, secure *tls.Config) ([]*sender, error) {
	senders := make([]*sender, connections)
	for i := range senders {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		if secure != nil {
			connection = tls.Client(connection, secure)
		}
		senders[i] = newSender(connection, request(address, benchUser(i%devices), benchPassword))
	}
	return senders, nil
}

// postAll runs all senders to the same end, each with a rate if that is not 0.
func postAll(senders []*sender, duration time.Duration, rate float64) (loadReport, error) {
	began, busy := time.Now(), startBusyness()
	end := began.Add(duration)
	results := make(chan error, len(senders))
	for i, s := range senders {
		go func() {
			if rate == 0 {
				results <- s.post(end)
				return
			}
			// Spread over the first interval, so that requests do not come in bursts of all.
			offset := time.Duration(float64(time.Second) / rate * float64(i) / float64(len(senders)))
			results <- s.postAt(began.Add(offset), end, rate)
		}()
	}
	var failure error
	for range senders {
		failure = errors.Join(failure, <-results)
	}
	report := loadReport{Statuses: map[int]int{}, Elapsed: time.Since(began), Busy: busy.share()}
	var latencies sample[time.Duration]
	for _, s := range senders {
		for status, n := range s.statuses {
			report.Statuses[status] += n
			if status == http.StatusAccepted {
				report.Accepted += n
			} else {
				report.Refused += n
			}
		}
		latencies = append(latencies, s.latencies...)
	}
	if failure == nil && len(latencies) > 0 {
		report.Median, report.P99 = latencies.median(), latencies.quantile(0.99)
	}
	return report, failure
}

// A sender is one connection.
type sender struct {
	connection net.Conn
	request    []byte
	responses  responseReader
	statuses   map[int]int
	latencies  sample[time.Duration]
}

func newSender(connection net.Conn, request []byte) *sender {
	return &sender{
		connection: connection,
		request:    request,
		responses:  responseReader{from: connection},
		statuses:   map[int]int{},
	}
}

// post sends one request after the other until the end.
func (s *sender) post(end time.Time) error {
	defer s.connection.Close()
	if err := s.connection.SetDeadline(end.Add(answerTimeout)); err != nil {
		return err
	}
	for now := time.Now(); now.Before(end); {
		status, err := s.once()
		if err != nil {
			return fmt.Errorf("after %d answers on a connection: %w", len(s.latencies), err)
		}
		then := time.Now()
		s.latencies = append(s.latencies, then.Sub(now))
		s.statuses[status]++
		now = then
	}
	return nil
}

// postAt sends requests when they are due until the end. The time of an answer counts from when its request was due, however long that
// waited for the answer to the one before: who sends does not wait for answers.
func (s *sender) postAt(begin, end time.Time, rate float64) error {
	defer s.connection.Close()
	if err := s.connection.SetDeadline(end.Add(answerTimeout)); err != nil {
		return err
	}
	interval := time.Duration(float64(time.Second) / rate)
	for due := begin; due.Before(end); due = due.Add(interval) {
		time.Sleep(time.Until(due))
		status, err := s.once()
		if err != nil {
			return fmt.Errorf("after %d answers on a connection: %w", len(s.latencies), err)
		}
		s.latencies = append(s.latencies, time.Since(due))
		s.statuses[status]++
	}
	return nil
}

func (s *sender) once() (status int, err error) {
	if _, err := s.connection.Write(s.request); err != nil {
		return 0, err
	}
	return s.responses.next()
}
