package main

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestCoAPDeviceAndBareServer has the two ends of the measurement talk to each other.
func TestCoAPDeviceAndBareServer(t *testing.T) {
	port, err := neighbour.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serveBareCoAP(ctx, []string{"--address", address}) }()
	neighbour.Eventually(t, "the bare server to answer", func() bool {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return coapAnswers(attempt, address) == nil
	})
	d, err := newCoAPDevice(ctx, address, benchUser(0))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		d.once()
	}
	if d.report.Accepted != 10 || len(d.latency) != 10 || d.report.Refused+d.report.Timeouts != 0 {
		t.Errorf("%+v", d.report)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestCompareCoAP(t *testing.T) {
	bare := []coapBurst{{perSecond: 100, perMillion: time.Second, perHandshake: time.Millisecond, timeouts: 1}}
	gateway := []coapBurst{{perSecond: 50, perMillion: 2 * time.Second, perHandshake: time.Millisecond, timeouts: 2}}
	if got := countMissed(compareCoAP(bare, gateway)); got != 3 {
		t.Errorf("%d targets are missed, want 3: half of the requests, twice the processor time, and more timeouts", got)
	}
	if got := countMissed(compareCoAP(gateway, bare)); got != 0 {
		t.Errorf("%d targets are missed, want none", got)
	}
}
