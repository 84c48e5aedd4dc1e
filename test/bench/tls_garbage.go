package main

import (
	"context"
	"crypto/tls"
	"io"
	mrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// garbageHellos sends to a server in this process what looks like ClientHellos and is broken somewhere, and counts for how many
// of them OpenSSL was asked.
func garbageHellos(ctx context.Context) (row, error) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	config, err := mutualTLS("")
	if err != nil {
		return row{}, err
	}
	listener, err := listenTLS("127.0.0.1:0", config)
	if err != nil {
		return row{}, err
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { greetTLS(conn) })
		}
	})
	began := time.Now()
	err = sendGarbage(listener.Addr().String(), clientHello())
	took := time.Since(began)
	_ = listener.Close()
	serving.Wait()
	if err != nil {
		return row{}, err
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return row{}, err
	}
	objects := handshakesWithKey(all)
	return row{
		figure: "objects of OpenSSL for " + whole(tlsGarbage) + " broken ClientHellos", value: whole(float64(objects)), span: "in " + millis(took),
		target: "none", holds: objects == 0,
	}, nil
}

// clientHello is one that is in order, without a key.
func clientHello() []byte {
	ours, theirs := net.Pipe()
	go func() { _ = tls.Client(theirs, &tls.Config{ServerName: "localhost"}).Handshake() }()
	hello := make([]byte, 4096)
	n, _ := ours.Read(hello)
	_ = ours.Close()
	return hello[:n]
}

// sendGarbage sends a ClientHello again and again, each time with noise from some place on.
func sendGarbage(address string, hello []byte) error {
	const random = 11 // offset of the client's random number, before which there are lengths and versions
	noise := mrand.NewChaCha8([32]byte{})
	for range tlsGarbage {
		broken := append([]byte(nil), hello...)
		_, _ = noise.Read(broken[random+mrand.IntN(len(broken)-random):]) // never fails
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		_, _ = conn.Write(broken)
		_ = conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // it is one
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	return nil
}

// handshakesWithKey is how many handshakes OpenSSL was asked for.
func handshakesWithKey(all metricdata.ResourceMetrics) (n int64) {
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			data, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "fairlead.tls.handshakes" {
				continue
			}
			for _, p := range data.DataPoints {
				if client, _ := p.Attributes.Value("client"); client.AsString() == "psk" {
					n += p.Value
				}
			}
		}
	}
	return n
}
