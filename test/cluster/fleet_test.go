//go:build cluster

package cluster

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/numbered"
)

// A fleet is devices that publish numbered messages, one after the other, and connect again when they are cut off.
type fleet struct {
	*numbered.Checker
	connect  way
	name     string        // with which the names of its devices begin
	interval time.Duration // from one message of a device to its next

	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	gaps    []time.Duration // of each device that was cut off, from then to the next acknowledgement
	count   int             // devices that have an acknowledgement
}

// launch makes devices and has them publish, each on its way to Fairlead.
func launch(t testing.TB, a *tenant, name string, connect way, devices int, interval time.Duration) *fleet {
	t.Helper()
	f := &fleet{Checker: numbered.New(), connect: connect, name: name, interval: interval}
	f.makeDevices(t, a, devices)
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for n := range devices {
		f.running.Go(func() { f.sail(ctx, f.device(n), time.Duration(n)*interval/time.Duration(devices)) })
	}
	t.Cleanup(f.land)
	eventually(t, "all devices over "+name+" to publish", "kubectl -n fairlead logs, of gateways and fairlead-auth", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.count == devices
	})
	return f
}

// makeDevices makes some at once.
func (f *fleet) makeDevices(t testing.TB, a *tenant, devices int) {
	t.Helper()
	var making sync.WaitGroup
	const together = 8
	for i := range together {
		making.Go(func() {
			for n := i; n < devices; n += together {
				if err := a.makeDevice(f.device(n), keyed); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	making.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (f *fleet) device(n int) string { return f.name + "-" + strconv.Itoa(n) }

// land ends the fleet when every device has its last answer.
func (f *fleet) land() {
	f.stop()
	f.running.Wait()
}

// more waits until so many more messages are acknowledged.
func (f *fleet) more(t testing.TB, messages int) {
	t.Helper()
	target := f.Counts().Acknowledged + messages
	eventually(t, "more acknowledgements over "+f.name, "kubectl -n fairlead get pods, and their logs", func() bool {
		return f.Counts().Acknowledged >= target
	})
}

// sail is the life of a device. It sends the message again that has no answer, and then goes on.
func (f *fleet) sail(ctx context.Context, device string, delay time.Duration) {
	var cut time.Time
	var unanswered numbered.Message
	for first := true; ctx.Err() == nil; {
		link, err := f.connect(ctx, device)
		if err != nil {
			pause(ctx, 200*time.Millisecond)
			continue
		}
		if first {
			pause(ctx, delay)
		}
		for err == nil && ctx.Err() == nil {
			if unanswered.Number == 0 {
				unanswered = f.Next(device)
			} else {
				f.Again(unanswered)
			}
			answer := numbered.Unknown
			answer, err = link.publish(unanswered)
			f.Answered(unanswered, answer)
			if answer == numbered.Unknown {
				if cut.IsZero() {
					cut = time.Now()
				}
				pause(ctx, 50*time.Millisecond)
				continue
			}
			unanswered = numbered.Message{}
			if answer == numbered.Acknowledged {
				f.acknowledged(first, cut)
				first, cut = false, time.Time{}
			}
			pause(ctx, f.interval)
		}
		link.close()
	}
}

func (f *fleet) acknowledged(first bool, cut time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first {
		f.count++
	}
	if !cut.IsZero() {
		f.gaps = append(f.gaps, time.Since(cut))
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// quantile of durations; 0 of none.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Clone(all)
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)].Round(time.Millisecond)
}

// verify ends fleets and holds what Kafka has of an application against what was promised.
func verify(t testing.TB, a *tenant, fleets ...*fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longestWait)
	defer cancel()
	for _, f := range fleets {
		f.land()
	}
	stored, err := numbered.ReadTopic(ctx, brokers(t), a.topic(), numbered.Channel("numbered"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fleets {
		own := slices.DeleteFunc(slices.Clone(stored), func(s numbered.Stored) bool { return !strings.HasPrefix(s.Device, f.name+"-") })
		if faults := f.Verify(own); len(faults) > 0 {
			t.Errorf("over %s: %d faults:\n%s", f.name, len(faults), numbered.Summary(faults))
		}
		if refused := f.Counts().Refused; refused > 0 {
			t.Errorf("over %s: %d messages were refused", f.name, refused)
		}
		t.Logf("over %s: %+v, %d stored; without service: median %v, p99 %v, longest %v of %d cuts", f.name, f.Counts(), len(own),
			quantile(f.gaps, 0.5), quantile(f.gaps, 0.99), quantile(f.gaps, 1), len(f.gaps))
	}
}

// lost counts the acknowledged messages that are not among those that came.
func (f *fleet) lost(came map[numbered.Message]int) (n int) {
	stored := make([]numbered.Stored, 0, len(came))
	for m := range came {
		stored = append(stored, numbered.Stored{Message: m})
	}
	slices.SortFunc(stored, func(a, b numbered.Stored) int { return cmp.Compare(a.Number, b.Number) })
	for _, fault := range f.Verify(stored) {
		if fault.Kind == numbered.Lost {
			n++
		}
	}
	return n
}

// came counts how often the receiver was given each numbered message of an application, by events that are of the right kind.
func came(t testing.TB, a *tenant, right func(event) bool) map[numbered.Message]int {
	t.Helper()
	all := map[numbered.Message]int{}
	for _, e := range received(t) {
		if e.Application != a.name || e.Subject != "numbered" || !right(e) {
			continue
		}
		m, err := numbered.ParseMessage([]byte(e.Data))
		if err != nil || m.Device != e.Device {
			t.Fatalf("an event of %s with %q: %v", e.Device, e.Data, err)
		}
		all[m]++
	}
	return all
}

func ofTrigger(e event) bool { return e.User == "" }

func ofPush(e event) bool { return e.User != "" }
