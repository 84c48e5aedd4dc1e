//go:build integration

package e2e

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestWaitForACommand(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	for _, query := range []string{"?ct=1", "?commandTimeout=1", "?ct=0"} {
		accepted(t, query, post(t, here.telemetry.URL()+"/v1/x"+query, "d@"+a.name+":p", "x"))
	}
	if got := len(a.records()); got != 3 {
		t.Errorf("%d records, want 3", got)
	}
}

// A waiting is a curl whose answer is still to come.
type waiting struct {
	t      *testing.T
	output string
	report func() ([]byte, error)
}

// startWaiting posts a message and does not wait for the answer.
func startWaiting(t *testing.T, url, credentials string) waiting {
	t.Helper()
	command, output := curlCommand(t, []byte("x"), "--user", credentials, url)
	return waiting{t, output, inBackground(command)}
}

func inBackground(command *exec.Cmd) (wait func() ([]byte, error)) {
	type result struct {
		output []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		output, err := command.Output()
		done <- result{output, err}
	}()
	return func() ([]byte, error) {
		r := <-done
		return r.output, r.err
	}
}

func (w waiting) answer() answer {
	w.t.Helper()
	report, err := w.report()
	if err != nil {
		w.t.Fatalf("curl: %v (%s)", err, report)
	}
	return readAnswer(w.t, report, w.output)
}

// stop asks a function to end. That it ends in time, 30 s before a cluster would kill it, is Stop's to check.
func stop(t *testing.T, f *functionbin.Function) {
	t.Helper()
	if err := f.Stop(); err != nil {
		t.Error(err)
	}
}

// TestShutdownEndsAWait has a device wait for a minute, which is longer than a function has to shut down.
func TestShutdownEndsAWait(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	f := ownTelemetry(t)
	w := startWaiting(t, f.URL()+"/v1/x?ct=60", "d@"+a.name+":p")
	neighbour.Eventually(t, "the message to be stored", func() bool { return len(a.records()) == 1 })
	stop(t, f)
	accepted(t, "the message", w.answer())
}

// TestShutdownEndsAWaitThatIsStillToCome stops a function while the first message for which somebody wants to wait is on
// its way to Kafka.
func TestShutdownEndsAWaitThatIsStillToCome(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	metrics := metricsAddress(t)
	f := ownTelemetry(t, "FAIRLEAD_KAFKA_DELIVERY_TIMEOUT=25s",
		"FAIRLEAD_PROCESS_METRICS_PROTOCOL=prometheus", "FAIRLEAD_PROCESS_METRICS_ENDPOINT="+metrics)
	accepted(t, "a message before", post(t, f.URL()+"/v1/x", "d@"+a.name+":p", "x"))
	resume := pause(t, here.kafka.Process)
	w := startWaiting(t, f.URL()+"/v1/x?ct=60", "d@"+a.name+":p")
	neighbour.Eventually(t, "the message to wait for Kafka", func() bool {
		return curl(t, nil, "http://"+metrics+"/metrics").metric("fairlead_kafka_produce_waiting") == "1"
	})
	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the function to take no more connections", func() bool {
		conn, err := net.Dial("tcp", f.Address())
		if err == nil {
			_ = conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	resume()
	accepted(t, "the message", w.answer())
	if err := f.Wait(bounded(t)); err != nil {
		t.Error(err)
	}
}

// metricsAddress is where a function may offer its metrics.
func metricsAddress(t *testing.T) string {
	t.Helper()
	port, err := neighbour.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// metric finds the value of a metric in the text format of Prometheus, or "".
func (a answer) metric(name string) string {
	for line := range strings.Lines(a.body) {
		sample, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if family, _, _ := strings.Cut(sample, "{"); family == name {
			return value
		}
	}
	return ""
}

// pause freezes a neighbour until resume is called, or the test ends.
func pause(t *testing.T, p *neighbour.Process) (resume func()) {
	t.Helper()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	resume = sync.OnceFunc(func() {
		if err := p.Resume(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(resume)
	return resume
}
