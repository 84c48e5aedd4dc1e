//go:build integration

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// inFlight is how many numbered messages a device has on their way at once.
const inFlight = 16

// An mqttLoad is devices that publish numbered messages with QoS 1, several at once, and connect again wherever they can when
// their connection ends.
type mqttLoad struct {
	t        *testing.T
	tenant   *tenant
	gateways []*mqttGateway
	checker  *numbered.Checker
	cancel   context.CancelFunc
	devices  sync.WaitGroup
}

func startMQTTLoad(t *testing.T, devices int, gateways ...*mqttGateway) *mqttLoad {
	t.Helper()
	a := newTenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	l := &mqttLoad{t: t, tenant: a, gateways: gateways, checker: numbered.New(), cancel: cancel}
	for i := range devices {
		name := "device-" + strconv.Itoa(i)
		a.device(name, password("p"))
		l.devices.Go(func() { l.run(ctx, name, i) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *mqttLoad) stop() {
	l.cancel()
	l.devices.Wait()
}

// run connects again and again, and stays with a gateway as long as that can be reached. Two gateways that live keep no order between
// them: what one of them still has of a connection that ended could be stored after what the device then says to the other.
func (l *mqttLoad) run(ctx context.Context, device string, first int) {
	for turn := first; ctx.Err() == nil; {
		if l.session(ctx, l.gateways[turn%len(l.gateways)], device) {
			continue
		}
		turn++
		select {
		case <-ctx.Done():
		case <-time.After(loadPause):
		}
	}
}

// session publishes on one connection until that ends: one goroutine writes, this one reads the acknowledgements, which come in
// the order of the messages. What is not acknowledged then has no decision.
func (l *mqttLoad) session(ctx context.Context, g *mqttGateway, device string) (connected bool) {
	client, err := mqttclient.Dial(ctx, mqttclient.TCP(g.tcp), device, device+"@"+l.tenant.name, "p")
	if err != nil {
		return false
	}
	defer client.Close()
	flying := make(chan numbered.Message, inFlight) // without an acknowledgement, oldest first
	ending := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(flying)
		l.write(ctx, client, device, flying, ending)
	})
	for m := range flying {
		if err := l.acknowledged(client, m); err != nil {
			l.checker.Answered(m, numbered.Unknown)
			close(ending)
			break
		}
	}
	_ = client.Close()
	writer.Wait()
	for m := range flying {
		l.checker.Answered(m, numbered.Unknown)
	}
	return true
}

// write publishes as long as there is room in flying.
func (l *mqttLoad) write(ctx context.Context, client *mqttclient.Client, device string, flying chan<- numbered.Message, ending <-chan struct{}) {
	for ctx.Err() == nil {
		m := l.checker.Next(device)
		packet, id := mqttclient.AppendPublish(nil, "load", m.Body())
		binary.BigEndian.PutUint16(packet[id:], identifier(m))
		_, err := client.Write(packet)
		select {
		case flying <- m:
		case <-ending:
			l.checker.Answered(m, numbered.Unknown)
			return
		}
		if err != nil {
			return
		}
	}
}

// identifier is the packet identifier of a message; more than are in flight differ.
func identifier(m numbered.Message) uint16 { return uint16(m.Number%60_000) + 1 }

// acknowledged reads the next acknowledgement, which must be that of the message.
func (l *mqttLoad) acknowledged(client *mqttclient.Client, m numbered.Message) error {
	if err := client.SetReadDeadline(time.Now().Add(loadTimeout)); err != nil {
		return err
	}
	kind, body, err := client.ReadPacket()
	if err != nil {
		return err
	}
	if kind != mqttclient.Puback || len(body) != 2 || binary.BigEndian.Uint16(body) != identifier(m) {
		l.t.Errorf("instead of the acknowledgement of number %d of %s came %#x %x", m.Number, m.Device, kind, body)
		return errors.New("another packet")
	}
	l.checker.Answered(m, numbered.Acknowledged)
	return nil
}

// more waits until so many more messages are acknowledged.
func (l *mqttLoad) more(count int) {
	l.t.Helper()
	target := l.checker.Counts().Acknowledged + count
	neighbour.Eventually(l.t, fmt.Sprintf("%d more messages to be acknowledged", count), func() bool {
		return l.checker.Counts().Acknowledged >= target
	})
}

// verify stops the load and compares what was promised with what is stored, which it returns.
func (l *mqttLoad) verify() []numbered.Stored {
	l.t.Helper()
	l.stop()
	stored, err := numbered.ReadTopic(bounded(l.t), here.kafka.Brokers(), l.tenant.topic, numbered.Channel("load"))
	if err != nil {
		l.t.Fatal(err)
	}
	if faults := l.checker.Verify(stored); len(faults) > 0 {
		l.t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	l.t.Logf("answers %+v; %d records", l.checker.Counts(), len(stored))
	return stored
}

// TestMQTTKafkaDiesUnderLoad kills the broker, twice, under load through two gateways, and one of these while the broker is away.
func TestMQTTKafkaDiesUnderLoad(t *testing.T) {
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	l := startMQTTLoad(t, 8, gateways...)
	for i := range gateways {
		l.more(2000)
		restart := kill(t, here.kafka.Process)
		unknown := l.checker.Counts().Unknown
		neighbour.Eventually(t, "messages to be left without a decision", func() bool { return l.checker.Counts().Unknown > unknown })
		gateways[i].Kill()
		restart()
		if err := gateways[i].Start(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	l.more(2000)
	l.verify()
}

// TestMQTTGatewayDiesUnderLoad kills one of two gateways, again and again.
func TestMQTTGatewayDiesUnderLoad(t *testing.T) {
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	l := startMQTTLoad(t, 8, gateways...)
	for i := range 4 {
		l.more(2000)
		victim := gateways[i%2]
		victim.Kill()
		l.more(500)
		if err := victim.Start(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	l.more(2000)
	l.verify()
}

// TestMQTTGatewayStopsUnderLoad has a gateway drain while messages are in flight. Who was heard was answered: what is stored was acknowledged.
func TestMQTTGatewayStopsUnderLoad(t *testing.T) {
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	l := startMQTTLoad(t, 8, gateways...)
	l.more(2000)
	stopped := gateways[0]
	if err := stopped.Stop(); err != nil {
		t.Error(err)
	}
	l.more(1000)
	for _, s := range l.verify() {
		if !l.checker.Acknowledged(s.Message) {
			t.Errorf("number %d of %s was stored, and nobody told its sender", s.Number, s.Device)
		}
	}
}
