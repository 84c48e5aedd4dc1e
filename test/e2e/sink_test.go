//go:build integration

package e2e

import (
	"testing"
)

// TestSinkUnderLoad kills the sink that takes the place of Kafka, and the function before it, while numbered messages are sent: each that
// was acknowledged is there, in order for each device. The function knows of no Kafka.
func TestSinkUnderLoad(t *testing.T) {
	to := newInbox(t, "", "")
	f, err := here.binary.Start(bounded(t), "telemetry", append(here.registry(), "K_SINK="+to.url(), `K_CE_OVERRIDES={"extensions":{"site":"north"}}`,
		"FAIRLEAD_SINK_DELIVERY_TIMEOUT=2s")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	l := startLoadOf(t, newTenant(t), f)
	for range 3 {
		l.more(200)
		to.kill()
		l.undecided(4)
		to.start()
	}
	l.more(200)
	f.Kill()
	if err := f.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	l.more(200)
	to.verify(l)
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, e := range to.events {
		if e.Extensions()["site"] != "north" || e.Subject() != "load" {
			t.Fatalf("%s", e)
		}
	}
}
