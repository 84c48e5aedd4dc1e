//go:build integration

package bridge

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

const (
	loadDevices = 4
	loadTopic   = "events-plant"

	// loadPause is how long a device waits between messages, so that a load leaves something of the processors to the others.
	loadPause = 10 * time.Millisecond
)

// A load is devices that publish numbered messages to a mosquitto. Each repeats a message until the broker has taken it.
type load struct {
	t       *testing.T
	broker  *neighbour.Mosquitto
	checker *numbered.Checker
	cancel  context.CancelFunc
	devices sync.WaitGroup
}

func startLoad(t *testing.T, m *neighbour.Mosquitto) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, broker: m, checker: numbered.New(), cancel: cancel}
	for i := range loadDevices {
		l.devices.Go(func() { l.run(ctx, "device-"+strconv.Itoa(i)) })
	}
	t.Cleanup(l.stop)
	return l
}

// stop returns when every device knows about its last message.
func (l *load) stop() {
	l.cancel()
	l.devices.Wait()
}

func (l *load) run(ctx context.Context, device string) {
	for ctx.Err() == nil {
		m := l.checker.Next(device)
		for !l.send(m) && l.pause(ctx) {
			l.checker.Again(m)
		}
		l.pause(ctx)
	}
}

func (l *load) pause(ctx context.Context) bool {
	select {
	case <-time.After(loadPause):
		return true
	case <-ctx.Done():
		return false
	}
}

// send publishes a message, and finishes even if the load stops.
func (l *load) send(m numbered.Message) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), 5*time.Second)
	defer cancel()
	err := mosquittoPub(ctx, l.broker, "-V", "5", "-q", "1", "-t", "site/"+m.Device+"/load", "-m", string(m.Body()))
	if err != nil {
		l.checker.Answered(m, numbered.Unknown)
		return false
	}
	l.checker.Answered(m, numbered.Acknowledged)
	return true
}

// more waits until the broker has taken so many more messages.
func (l *load) more(count int) {
	l.t.Helper()
	target := l.checker.Counts().Acknowledged + count
	neighbour.Eventually(l.t, fmt.Sprintf("the broker to take %d more messages", count), func() bool {
		return l.checker.Counts().Acknowledged >= target
	})
}

// verify waits until what the broker has taken is stored, and returns the faults but duplicates, and the number of those.
func (l *load) verify(brokers []string) (faults []numbered.Fault, duplicates int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), startTime)
	defer cancel()
	err := neighbour.Await(ctx, "every message to be stored", func(ctx context.Context) error {
		stored, err := numbered.ReadTopic(ctx, brokers, loadTopic)
		if err != nil {
			return err
		}
		faults = l.checker.Verify(stored)
		if i := slices.IndexFunc(faults, func(f numbered.Fault) bool { return f.Kind == numbered.Lost }); i >= 0 {
			return fmt.Errorf("%v, and perhaps others", faults[i])
		}
		return nil
	})
	if err != nil {
		l.t.Error(err)
	}
	all := len(faults)
	faults = slices.DeleteFunc(faults, func(f numbered.Fault) bool { return f.Kind == numbered.Duplicated })
	return faults, all - len(faults)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOutagesUnderLoad has everything fail that can, one after the other and together, while devices publish. What the
// broker took is stored, in the order of each device.
func TestOutagesUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	k, err := neighbour.StartKafka(ctx, neighbour.KafkaFastStart())
	must(t, err)
	defer k.Close()
	must(t, k.CreateTopic(ctx, loadTopic, 3))
	m := startMosquitto(t)
	c := testConfig()
	c.Broker.URL, c.Broker.ReconnectDelay, c.RetryDelay, c.InFlight = m.URL(), time.Second, time.Second, 20
	w := producer(t, k.Brokers())
	b := run(t, c, w)
	l := startLoad(t, m)
	restart := func(p *neighbour.Process) {
		t.Helper()
		must(t, p.Start(context.WithoutCancel(t.Context())))
	}

	l.more(200)

	must(t, m.Stop())
	restart(m.Process)
	l.more(200)

	k.Kill()
	l.more(200)
	restart(k.Process)
	l.more(100)

	must(t, k.Stop())
	l.more(50)
	must(t, m.Stop())
	restart(m.Process)
	l.more(50)
	restart(k.Process)
	l.more(100)

	must(t, b.end())
	l.more(100)
	b = run(t, c, w)
	l.more(100)

	k.Kill()
	l.more(50)
	must(t, b.end())
	l.more(50)
	b = start(t, c, w) // it may not be ready as long as it has no place for what the broker sends
	restart(k.Process)
	l.more(100)

	l.stop()
	faults, duplicates := l.verify(k.Brokers())
	if len(faults) > 0 {
		t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	counts := l.checker.Counts()
	t.Logf("%d messages were taken by the broker, %d more may have been; %d were stored more often than they were sent",
		counts.Acknowledged, counts.Unknown, duplicates)
	must(t, b.end())
}

// TestNothingFails has no message stored twice.
func TestNothingFails(t *testing.T) {
	k := neighbour.SharedKafka(t)
	emptyTopic(t, k)
	m := startMosquitto(t)
	c := testConfig()
	c.Broker.URL = m.URL()
	run(t, c, producer(t, k.Brokers()))
	l := startLoad(t, m)
	l.more(500)
	l.stop()
	faults, duplicates := l.verify(k.Brokers())
	if len(faults)+duplicates > 0 {
		t.Errorf("%d duplicates; %d faults:\n%s", duplicates, len(faults), numbered.Summary(faults))
	}
}
