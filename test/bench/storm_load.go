package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/test/mqttclient"
)

const (
	stormCommand = "storm"

	// stormJitter is within which a device that has lost its connection connects anew, by chance.
	stormJitter = time.Second

	// Pauses of a device between attempts, which double and are spread by chance.
	stormFirstPause   = time.Second
	stormLongestPause = 30 * time.Second

	// attemptLimit is how long a device waits for its connection and its log-in, as clients of Eclipse Paho do by default.
	attemptLimit = 30 * time.Second

	// stormLimit is for how long devices try.
	stormLimit = 4 * time.Minute

	certificateLife = time.Hour
)

// A stormReport is what the process of the devices tells on its output.
type stormReport struct {
	Back    []int64        `json:"back"`    // when each device was admitted, in microseconds since 1970
	Shed    int            `json:"shed"`    // log-ins that were told to come back later
	Refused int            `json:"refused"` // log-ins that were refused for any other reason
	Broken  map[string]int `json:"broken"`  // connections that ended without an answer, by the kind of error
	Busy    float64        `json:"busy"`    // share of its cores that this process used
}

// A stormDevices is the devices of one process.
type stormDevices struct {
	application string
	then        string         // address where they connect anew
	authority   *x509.CertPool // nil without TLS
	issuer      *issuer.Pair   // of their certificates; nil if they have passwords

	mu     sync.Mutex
	report stormReport
}

// storm has devices connect, says so with a line, and reports when all of them have lost that connection and are connected anew; or
// has them connect when a line says so.
func storm(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(stormCommand, flag.ContinueOnError)
	application := flags.String("application", "", "of the devices")
	first := flags.String("first", "", "address of the gateway where they are connected at first; empty: nowhere")
	then := flags.String("then", "", "address of the gateway where they connect then")
	authority := flags.String("authority", "", "file of the certificate to trust; empty: no TLS")
	stem := flags.String("issuer", "", "files of the authority of the devices' certificates, without their endings; empty: passwords")
	count := flags.Int("count", 0, "how many")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	s := &stormDevices{application: *application, then: *then, report: stormReport{Broken: map[string]int{}}}
	if err := s.trust(*authority, *stem); err != nil {
		return err
	}
	devices := make([]*stormDevice, *count)
	for i := range devices {
		d, err := s.device(i)
		if err != nil {
			return err
		}
		devices[i] = d
	}
	if *first != "" {
		if err := connectStorm(ctx, devices, *first); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(output, "connected"); err != nil {
		return err
	}
	if _, err := bufio.NewReader(input).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for the beginning: %w", err)
	}
	report := s.run(ctx, devices)
	runtime.KeepAlive(devices) // a connection to which nothing refers is closed
	return json.NewEncoder(output).Encode(report)
}

func (s *stormDevices) trust(authority, stem string) (err error) {
	if authority != "" {
		text, err := os.ReadFile(authority)
		if err != nil {
			return err
		}
		s.authority = x509.NewCertPool()
		s.authority.AppendCertsFromPEM(text)
	}
	if stem != "" {
		s.issuer, err = issuer.FilesOf(stem).Read()
	}
	return err
}

// A stormDevice is one device.
type stormDevice struct {
	*stormDevices
	name, user, password string
	secure               *tls.Config // nil without TLS
	client               *mqttclient.Client
}

func (s *stormDevices) device(i int) (*stormDevice, error) {
	d := &stormDevice{stormDevices: s, name: deviceName(i)}
	if s.authority != nil {
		d.secure = &tls.Config{RootCAs: s.authority, ServerName: "localhost"}
	}
	if s.issuer == nil {
		d.user, d.password = d.name+"@"+s.application, benchPassword
		return d, nil
	}
	pair, err := s.issuer.Issue(pkix.Name{CommonName: d.name}, time.Now().Add(certificateLife))
	if err != nil {
		return nil, err
	}
	d.secure.Certificates = []tls.Certificate{pair.TLS()}
	return d, nil
}

// dial connects to an address, and logs in.
func (d *stormDevice) dial(ctx context.Context, dial mqttclient.Dialer) error {
	secured := dial
	if d.secure != nil {
		secured = func(ctx context.Context) (net.Conn, error) {
			plain, err := dial(ctx)
			if err != nil {
				return nil, err
			}
			conn := tls.Client(plain, d.secure)
			if err := conn.HandshakeContext(ctx); err != nil {
				_ = plain.Close()
				return nil, err
			}
			return conn, nil
		}
	}
	client, err := mqttclient.Dial(ctx, secured, d.name, d.user, d.password)
	if err == nil {
		client.Reader = nil // it reads nothing from now on
		d.client = client
	}
	return err
}

// connectStorm connects all devices, some at once.
func connectStorm(ctx context.Context, devices []*stormDevice, address string) error {
	dial := spread(address)
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, dialers)
	for range dialers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(devices); i = int(next.Add(1)) - 1 {
				pauses := backoff.New(100*time.Millisecond, time.Second)
				err := devices[i].dial(ctx, dial)
				for attempt := 0; err != nil && attempt < 100 && pauses.Wait(ctx); attempt++ {
					err = devices[i].dial(ctx, dial)
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	return <-failures
}

// run has every device connect anew once its connection has ended, and gives up after stormLimit.
func (s *stormDevices) run(ctx context.Context, devices []*stormDevice) stormReport {
	ctx, cancel := context.WithTimeout(ctx, stormLimit)
	defer cancel()
	busy, dial := startBusyness(), spread(s.then)
	var group sync.WaitGroup
	for _, d := range devices {
		group.Go(func() { d.comeBack(ctx, dial) })
	}
	group.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Busy = busy.share()
	return s.report
}

// comeBack waits for the end of the connection, if there is one, and connects anew as devices do: after a moment that chance gives, then
// with pauses that grow.
func (d *stormDevice) comeBack(ctx context.Context, dial mqttclient.Dialer) {
	if d.client != nil {
		stop := context.AfterFunc(ctx, func() { _ = d.client.Close() })
		_ = readOne(d.client.Conn)
		stop()
		_ = d.client.Close()
	}
	pauses := backoff.New(stormFirstPause, stormLongestPause)
	for pause := rand.N(stormJitter); backoff.Wait(ctx, pause); pause = pauses.Next() {
		err := d.attempt(ctx, dial)
		if d.note(err); err == nil {
			return
		}
	}
}

// attempt dials for as long as a device waits.
func (d *stormDevice) attempt(ctx context.Context, dial mqttclient.Dialer) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	return d.dial(ctx, dial)
}

func (s *stormDevices) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused, isRefused := errors.AsType[*mqttclient.RefusedError](err)
	switch {
	case err == nil:
		s.report.Back = append(s.report.Back, time.Now().UnixMicro())
	case isRefused && refused.Code == codeUnavailable:
		s.report.Shed++
	case isRefused:
		s.report.Refused++
	default:
		s.report.Broken[brokenKind(err)]++
	}
}

// brokenKind is an error without what differs between devices.
func brokenKind(err error) string {
	switch _, handshake := errors.AsType[*tls.CertificateVerificationError](err); {
	case isTimeout(err), errors.Is(err, os.ErrDeadlineExceeded):
		return "time out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "closed"
	case handshake:
		return "handshake"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
