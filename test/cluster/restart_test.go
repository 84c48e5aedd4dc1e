//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/numbered"
)

// restartEverything restarts one part after the other while devices publish over every protocol to Kafka, new ones are made and come, and a
// consumer reads. What was acknowledged is stored and was consumed, nobody is refused.
func (w *world) restartEverything(t *testing.T) {
	const devices, interval = 10, 250 * time.Millisecond
	a := w.tenant
	toKafka(t, "fairlead-gateway-mqtt", "fairlead-gateway-coap")
	defer functionToKafka(t, "fairlead-telemetry")()
	reader := startConsumer(t, a)
	fleets := []*fleet{
		launch(t, a, "mqtt", overMQTT(t, a), devices, interval),
		launch(t, a, "coap", overCoAP(t, a), devices, interval),
		launch(t, a, "http", overHTTP(t, a), devices, interval),
		launch(t, a, "front", overFront(t, a), devices, interval),
	}
	arriving := comeIn(t, a)
	restart := func(how func(testing.TB, string), parts ...string) {
		for _, part := range parts {
			how(t, part)
			arriving.more(t, 3)
			for _, f := range fleets {
				f.more(t, devices)
			}
			t.Logf("%s was restarted", part)
		}
	}
	restart(restartPods, "fairlead-gateway-mqtt", "fairlead-gateway-coap", "fairlead-gateway-http", "fairlead-gateway-integration")
	restart(restartFunction, "fairlead-telemetry", "fairlead-auth", "fairlead-registry")
	arriving.end()
	t.Logf("%d new devices came, nobody was refused, %d attempts were made again", arriving.here, arriving.again)
	verify(t, a, fleets...)
	reader.verify(t, fleets...)
}

// Newcomers are devices that are made, one after the other, log in over MQTT and publish once.
type newcomers struct {
	tenant  *tenant
	connect way
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	here    int // how many have come
	again   int // how often something had to be tried again
	problem error
}

func comeIn(t testing.TB, a *tenant) *newcomers {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	n := &newcomers{tenant: a, connect: overMQTT(t, a), stop: stop}
	n.running.Go(func() {
		for i := 0; ctx.Err() == nil && n.one("newcomer-"+strconv.Itoa(i)); i++ {
		}
	})
	t.Cleanup(n.end)
	return n
}

func (n *newcomers) end() {
	n.stop()
	n.running.Wait()
}

// one has a device come.
func (n *newcomers) one(device string) bool {
	late, err := insist(func() (bool, error) { return n.tenant.offerDevice(device, credentials) })
	if err == nil {
		var again int
		again, err = insist(func() (bool, error) { return n.publish(device) })
		late += again
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.again += late
	if err != nil {
		n.problem = fmt.Errorf("%s: %w", device, err)
		return false
	}
	n.here++
	return true
}

// publish logs a device in and sends one message. A gateway may be away; none may say that the device is not known.
func (n *newcomers) publish(device string) (done bool, err error) {
	const serverUnavailable = 3 // MQTT 3.1.1, section 3.2.2.3
	connection, err := n.connect(context.Background(), device)
	if refused, ok := errors.AsType[*mqttclient.RefusedError](err); ok && refused.Code != serverUnavailable {
		return false, err
	}
	if err != nil {
		return false, nil
	}
	defer connection.close()
	answer, _ := connection.publish(numbered.Message{Device: device, Number: 1})
	return answer == numbered.Acknowledged, nil
}

// more waits until some more have come.
func (n *newcomers) more(t testing.TB, count int) {
	t.Helper()
	come := func() int {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.problem != nil {
			t.Fatal(n.problem)
		}
		return n.here
	}
	target := come() + count
	eventually(t, "new devices to come", "the logs of fairlead-registry, fairlead-auth and fairlead-gateway-mqtt", func() bool { return come() >= target })
}

// insist repeats a step, which may fail while a part restarts, until it is done or cannot be done. It counts how often it was repeated.
func insist(step func() (done bool, err error)) (again int, err error) {
	for started := time.Now(); ; again++ {
		if done, err := step(); done || err != nil {
			return again, err
		}
		if time.Since(started) > longestWait {
			return again, fmt.Errorf("not done after %d attempts", again+1)
		}
		time.Sleep(100 * time.Millisecond) // between attempts at something outside
	}
}
