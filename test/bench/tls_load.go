package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// loadTLS makes handshakes, for a time or until it holds so many connections, reports, and waits for the end of its input.
func loadTLS(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(tlsLoadCommand, flag.ContinueOnError)
	address := flags.String("address", "", "of the server, host:port")
	dir := flags.String("folder", "", "with the certificate")
	kind := flags.String("kind", tlsKey, "what clients prove")
	duration := flags.Duration("duration", 0, "how long to make handshakes")
	hold := flags.Int("hold", 0, "how many connections to hold")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	dial, err := tlsDialer(*kind, *address, *dir)
	if err != nil {
		return err
	}
	var report tlsReport
	var held []net.Conn
	if *hold > 0 {
		held, err = holdTLS(dial, *hold)
		report.Handshakes = len(held)
	} else {
		report.Handshakes, err = shakeTLS(dial, *duration)
	}
	if err != nil {
		return err
	}
	if err := json.NewEncoder(output).Encode(report); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, input)
	for _, conn := range held {
		_ = conn.Close()
	}
	return err
}

// A tlsDial makes a connection whose handshake both sides have done.
type tlsDial func() (net.Conn, error)

func tlsDialer(kind, address, dir string) (tlsDial, error) {
	dial := keyDialer(address)
	if kind == tlsCertificate {
		var err error
		if dial, err = certificateDialer(address, dir); err != nil {
			return nil, err
		}
	}
	return func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}, nil
}

func certificateDialer(address, dir string) (tlsDial, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, tlsCertificateFile), filepath.Join(dir, tlsKeyFile))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, tlsAuthorityFile))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	config := &tls.Config{
		RootCAs: trusted, ServerName: "localhost", Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	return func() (net.Conn, error) { return tls.Dial("tcp", address, config) }, nil
}

// shakeTLS makes handshakes until the time is over.
func shakeTLS(dial tlsDial, duration time.Duration) (handshakes int, err error) {
	end := time.Now().Add(duration)
	var count atomic.Int64
	var group sync.WaitGroup
	problems := make([]error, tlsWorkers)
	for i := range problems {
		group.Go(func() {
			for time.Now().Before(end) {
				conn, err := dial()
				if err != nil {
					problems[i] = err
					return
				}
				count.Add(1)
				_ = conn.Close()
			}
		})
	}
	group.Wait()
	return int(count.Load()), errors.Join(problems...)
}

// holdTLS makes connections.
func holdTLS(dial tlsDial, count int) (held []net.Conn, err error) {
	held = make([]net.Conn, count)
	problems := make([]error, tlsWorkers)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range problems {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && problems[w] == nil; i = int(next.Add(1)) - 1 {
				held[i], problems[w] = dial()
			}
		})
	}
	group.Wait()
	return held, errors.Join(problems...)
}
