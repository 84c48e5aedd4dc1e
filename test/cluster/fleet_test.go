//go:build cluster

package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/numbered"
)

// mqttAddress is the MQTT gateway's, at a port of a node.
func mqttAddress(t testing.TB) string {
	t.Helper()
	node := kubectl(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	port := kubectl(t, "get", "service", "fairlead-mqtt", "-o", `jsonpath={.spec.ports[?(@.name=="mqtt")].nodePort}`)
	return node + ":" + port
}

// A fleet is devices that publish numbered messages over MQTT, one after the other, and connect again when they are cut off.
type fleet struct {
	*numbered.Checker
	address  string
	tenant   *tenant
	interval time.Duration // from one message of a device to its next

	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	gaps    []time.Duration // of each device that was cut off, from then to the next acknowledgement
	count   int             // devices that have an acknowledgement
}

// launch makes devices and has them publish.
func launch(t testing.TB, a *tenant, devices int, interval time.Duration) *fleet {
	t.Helper()
	f := &fleet{Checker: numbered.New(), address: mqttAddress(t), tenant: a, interval: interval}
	var making sync.WaitGroup
	const together = 8
	for i := range together {
		making.Go(func() {
			for n := i; n < devices; n += together {
				if err := a.makeDevice(deviceName(n), credentials); err != nil {
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
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for n := range devices {
		f.running.Go(func() { f.sail(ctx, deviceName(n), time.Duration(n)*interval/time.Duration(devices)) })
	}
	eventually(t, "all devices to publish", "kubectl -n fairlead logs deployment/fairlead-gateway-mqtt", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.count == devices
	})
	return f
}

func deviceName(n int) string { return "numbered-" + strconv.Itoa(n) }

// land ends the fleet when every device has its last answer.
func (f *fleet) land() {
	f.stop()
	f.running.Wait()
}

// sail is the life of a device. It sends the message again that has no answer, and then goes on.
func (f *fleet) sail(ctx context.Context, device string, delay time.Duration) {
	var cut time.Time
	var unanswered numbered.Message
	for first := true; ctx.Err() == nil; {
		link, err := mqttclient.Dial(ctx, mqttclient.TCP(f.address), device+"@"+f.tenant.name, device+"@"+f.tenant.name, password)
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
			if err = publish(link, unanswered); err != nil {
				break
			}
			f.Answered(unanswered, numbered.Acknowledged)
			unanswered = numbered.Message{}
			f.acknowledged(first, cut)
			first, cut = false, time.Time{}
			pause(ctx, f.interval)
		}
		if err != nil {
			f.Answered(unanswered, numbered.Unknown)
			if cut.IsZero() {
				cut = time.Now()
			}
		}
		_ = link.Close()
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

// publish sends one message and waits for its PUBACK.
func publish(link *mqttclient.Client, m numbered.Message) error {
	packet, at := mqttclient.AppendPublish(nil, "numbered", m.Body())
	binary.BigEndian.PutUint16(packet[at:], 1)
	const longest = time.Minute
	if err := link.SetDeadline(time.Now().Add(longest)); err != nil {
		return err
	}
	if _, err := link.Write(packet); err != nil {
		return err
	}
	kind, _, err := link.ReadPacket()
	if err == nil && kind != mqttclient.Puback {
		err = fmt.Errorf("a packet of type %#x", kind)
	}
	return err
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

// missing counts the acknowledged messages of the fleet that are not among the receiver's events.
func (f *fleet) missing(events []event) (n int, err error) {
	have := map[numbered.Message]bool{}
	for _, e := range events {
		if e.Application != f.tenant.name || e.Subject != "numbered" {
			continue
		}
		m, err := numbered.ParseMessage([]byte(e.Data))
		if err != nil || m.Device != e.Device {
			return 0, errors.Join(fmt.Errorf("an event of %s with %q", e.Device, e.Data), err)
		}
		have[m] = true
	}
	var stored []numbered.Stored
	for m := range have {
		stored = append(stored, numbered.Stored{Message: m})
	}
	slices.SortFunc(stored, func(a, b numbered.Stored) int { return int(a.Number) - int(b.Number) })
	return len(f.Verify(stored)), nil
}
