//go:build cluster

package cluster

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sinkBesideKafka says how many events functions/telemetry hands over in a second of its processor time: to the sink of the overlay, and
// to Kafka, one after the other and both twice.
func sinkBesideKafka(t *testing.T, a *tenant) {
	if functionSetting(t, "FAIRLEAD_SINK_URL") == "" {
		t.Skip("the overlay names no sink")
	}
	for n := range senders {
		a.device(t, senderName(n), credentials)
	}
	const rounds = 2
	for range rounds {
		t.Logf("to the sink: %s", processorTime(t, a))
		restore := functionToKafka(t, "fairlead-telemetry")
		t.Logf("to Kafka: %s", processorTime(t, a))
		restore()
	}
}

// processorTime sends many events and says what they cost the function.
func processorTime(t *testing.T, a *tenant) string {
	t.Helper()
	const warmUp, events = 20, 250 // of each sender
	sendEvents(t, a, warmUp)
	before := telemetryTime(t)
	started := time.Now()
	again := sendEvents(t, a, events)
	took := time.Since(started)
	used := telemetryTime(t) - before
	const all = events * senders
	return fmt.Sprintf("%.0f events in a second of the function's processor time (%.2f s for %d, %d sent again), %.0f in a second from %d devices",
		all/used, used, all, again, all/took.Seconds(), senders)
}

const senders = 16

func senderName(n int) string { return "sender-" + strconv.Itoa(n) }

// sendEvents has each device post so many messages of 100 bytes, one after the other, until each is accepted. It counts those that had to be
// sent again, because the sink was too slow for them.
func sendEvents(t *testing.T, a *tenant, count int) (again int) {
	t.Helper()
	url, body := address(t, "fairlead-telemetry")+"/v1/bench", `"`+strings.Repeat("x", 98)+`"`
	var repeated atomic.Int64
	var sending sync.WaitGroup
	for n := range senders {
		sending.Go(func() {
			for range count {
				again, err := insist(func() (bool, error) {
					status, answer, err := send(http.MethodPost, url, a.as(senderName(n)), jsonContent, body)
					if status/100 == 4 {
						return false, fmt.Errorf("%d %s", status, answer)
					}
					return err == nil && status == http.StatusAccepted, nil
				})
				repeated.Add(int64(again))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sending.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return int(repeated.Load())
}

// telemetryTime is the processor time of the newest revision of functions/telemetry, in seconds, as the kubelet measured it after now.
func telemetryTime(t *testing.T) (seconds float64) {
	t.Helper()
	revision, now := latestRevision(t, "fairlead-telemetry"), time.Now()
	eventually(t, "the kubelet to measure "+revision, "kubectl get --raw /api/v1/nodes/NODE/proxy/metrics/cadvisor", func() bool {
		seconds = 0
		for _, s := range samples(t) {
			if s.container != "user-container" || !strings.HasPrefix(s.pod, revision+"-") {
				continue
			}
			if s.at.Before(now) {
				return false
			}
			seconds += s.cpu
		}
		return seconds > 0
	})
	return seconds
}
