//go:build integration

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

const (
	// loadDevices send at once. Half of them repeat a message until they get a decision, as a device with a memory does;
	// the others go on with the next one, as a sensor without one does.
	loadDevices = 8

	loadPassword = "p"

	// loadTimeout is above the time in which a function must have answered.
	loadTimeout = 15 * time.Second

	// loadPause is how long a device waits when there is nobody to connect to, so that a load does not busy both cores.
	loadPause = 20 * time.Millisecond
)

// A load is devices that send numbered messages, each one after the other, until it is stopped.
type load struct {
	t       *testing.T
	tenant  *tenant
	url     string
	checker *numbered.Checker
	client  *http.Client
	cancel  context.CancelFunc
	devices sync.WaitGroup

	mu       sync.Mutex
	unheard  int // requests without any answer
	problems []string
}

// startLoad has the devices of a new application send to a function.
func startLoad(t *testing.T, f *functionbin.Function) *load {
	t.Helper()
	return startLoadOf(t, newTenant(t), f)
}

// startLoadOf has devices of an application send to a function.
func startLoadOf(t *testing.T, a *tenant, f *functionbin.Function) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{
		t: t, tenant: a, url: f.URL() + "/v1/load", checker: numbered.New(), cancel: cancel,
		client: &http.Client{Timeout: loadTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: loadDevices}},
	}
	for i := range loadDevices {
		name := "device-" + strconv.Itoa(i)
		a.device(name, password(loadPassword))
		l.devices.Go(func() { l.run(ctx, name, i%2 == 0) })
	}
	t.Cleanup(l.stop)
	return l
}

// stop returns when every device has the answer to its last message.
func (l *load) stop() {
	l.cancel()
	l.devices.Wait()
	l.client.CloseIdleConnections()
}

func (l *load) run(ctx context.Context, device string, repeat bool) {
	for ctx.Err() == nil {
		m := l.checker.Next(device)
		answer := l.send(ctx, m)
		for repeat && answer == numbered.Unknown && ctx.Err() == nil {
			l.checker.Again(m)
			answer = l.send(ctx, m)
		}
	}
}

// send posts one message and notes the answer, which it waits for even if ctx ends. What is neither 202 nor 503 with Retry-After is a problem.
func (l *load) send(ctx context.Context, m numbered.Message) numbered.Answer {
	request, err := http.NewRequest(http.MethodPost, l.url, bytes.NewReader(m.Body()))
	if err != nil {
		l.problem(err.Error())
		return numbered.Refused
	}
	request.SetBasicAuth(m.Device+"@"+l.tenant.name, loadPassword)
	request.Header.Set("Content-Type", jsonContent)
	request.GetBody = nil // keeps the client from sending again by itself
	response, err := l.client.Do(request)
	if err != nil {
		l.unanswered(ctx, m)
		return numbered.Unknown
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusAccepted:
	case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get(retryAfter) != "":
	default:
		l.problem(fmt.Sprintf("number %d of %s is answered with %s %v", m.Number, m.Device, response.Status, response.Header))
	}
	answer := numbered.AnswerOf(response.StatusCode)
	l.checker.Answered(m, answer)
	return answer
}

// unanswered notes that there was no answer, and waits a moment.
func (l *load) unanswered(ctx context.Context, m numbered.Message) {
	l.checker.Answered(m, numbered.Unknown)
	l.mu.Lock()
	l.unheard++
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(loadPause):
	}
}

func (l *load) problem(text string) {
	const enough = 10
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) < enough {
		l.problems = append(l.problems, text)
	}
}

// noAnswer is how many requests were not answered.
func (l *load) noAnswer() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unheard
}

// more waits until so many more messages are acknowledged.
func (l *load) more(count int) {
	l.t.Helper()
	target := l.checker.Counts().Acknowledged + count
	neighbour.Eventually(l.t, fmt.Sprintf("%d more messages to be acknowledged", count), func() bool {
		return l.checker.Counts().Acknowledged >= target
	})
}

// undecided waits until so many more messages have no decision.
func (l *load) undecided(count int) {
	l.t.Helper()
	target := l.checker.Counts().Unknown + count
	neighbour.Eventually(l.t, fmt.Sprintf("%d messages to be left without a decision", count), func() bool {
		return l.checker.Counts().Unknown >= target
	})
}

// verify stops the load and compares what was promised with what is stored, which it returns.
func (l *load) verify() []numbered.Stored {
	l.t.Helper()
	l.stop()
	for _, problem := range l.problems {
		l.t.Error(problem)
	}
	stored, err := numbered.ReadTopic(bounded(l.t), here.kafka.Brokers(), l.tenant.topic)
	if err != nil {
		l.t.Fatal(err)
	}
	if faults := l.checker.Verify(stored); len(faults) > 0 {
		l.t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	l.t.Logf("answers %+v, %d of them without an answer at all; %d records", l.checker.Counts(), l.noAnswer(), len(stored))
	return stored
}
