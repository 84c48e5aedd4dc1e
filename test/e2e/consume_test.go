//go:build integration

package e2e

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// A denied application and one that does not exist look the same, and a session ends with what it rests on.
func TestConsumersThatMayNot(t *testing.T) {
	a, owner, other := newTenant(t), consumer(t, "owner"), consumer(t, "other")
	a.own(owner)
	g := ownIntegration(t, "FAIRLEAD_INTEGRATION_FEED_RECHECK=1s")
	for _, name := range []string{a.name, "nowhere"} {
		output, _ := mosquitto(t, "mosquitto_sub", g.mqtt, "-V", "5", "-u", other.name, "-P", other.secret, "-t", "app/"+name, "-d", "-W", "5", "-E")
		if !contains(output, "Not authorized") && !contains(output, "135") {
			t.Errorf("%s: %s", name, output)
		}
		if got := curl(t, nil, "-u", other.name+":"+other.secret, "http://"+g.web+"/"+name); got.status != 404 || !strings.Contains(got.body, "Application / "+name) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if output, ok := mosquitto(t, "mosquitto_sub", g.mqtt, "-u", "owner", "-P", "wrong", "-t", "app/x", "-W", "5"); ok {
		t.Errorf("a wrong token: %s", output)
	}
	ended := make(chan error, 2)
	watch := func(program string, arguments ...string) {
		command := exec.CommandContext(bounded(t), program, arguments...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- command.Wait() }()
	}
	watch("curl", "-sN", "--noproxy", "*", "-u", owner.name+":"+owner.secret, "http://"+g.web+"/"+a.name)
	watch("curl", "-sN", "--noproxy", "*", "-u", owner.name+":"+owner.secret, "http://"+g.web+"/"+a.name+"?group_id=g")
	if err := owner.tokens.Delete(bounded(t), owner.identity, owner.prefix); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-ended:
		case <-time.After(waitLimit):
			t.Fatal("a session lives longer than its access token")
		}
	}
}

// A shareReader is a client of a group that connects again wherever it can.
type shareReader struct {
	received func(numbered.Message)
	problem  func(error)
}

// run consumes until ctx ends.
func (r *shareReader) run(ctx context.Context, id, topic, name, secret string, addresses ...string) {
	for i := 0; ctx.Err() == nil; i++ {
		r.visit(ctx, id, topic, name, secret, addresses[i%len(addresses)])
		select {
		case <-ctx.Done():
		case <-time.After(loadPause):
		}
	}
}

// visit consumes until the connection ends.
func (r *shareReader) visit(ctx context.Context, id, topic, name, secret, address string) {
	link, err := net.DialTimeout("tcp", address, waitLimit)
	if err != nil {
		return
	}
	defer link.Close()
	lost := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(lost) }) }
	window := uint16(50)
	c := paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(link), OnClientError: func(error) { end() }, OnServerDisconnect: func(*paho.Disconnect) { end() },
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			e, err := numberedEvent(p.Packet.Payload)
			if err != nil {
				r.problem(err)
			} else {
				r.received(e)
			}
			return true, nil
		}},
	})
	connecting, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	_, err = c.Connect(connecting, &paho.Connect{
		ClientID: id, CleanStart: true, KeepAlive: 10, UsernameFlag: true, Username: name, PasswordFlag: true, Password: []byte(secret),
		Properties: &paho.ConnectProperties{ReceiveMaximum: &window},
	})
	if err == nil {
		_, err = c.Subscribe(connecting, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}}})
	}
	if err != nil {
		return
	}
	select {
	case <-lost:
	case <-ctx.Done():
		_ = c.Disconnect(&paho.Disconnect{})
	}
}

// numberedEvent is the numbered message in an event.
func numberedEvent(document []byte) (numbered.Message, error) {
	e, ok := structuredEvent(string(document))
	data, isObject := e.Data.(map[string]any)
	if !ok || !isObject {
		return numbered.Message{}, fmt.Errorf("%s is no event with a numbered message", document)
	}
	number, _ := data["number"].(float64)
	device, _ := data["device"].(string)
	return numbered.Message{Device: device, Number: uint64(number)}, nil
}

// One of two gateways is killed under load, and comes back: the group misses nothing that was acknowledged to a device, and gets the
// events of each device in their order.
func TestIntegrationKilledUnderLoad(t *testing.T) {
	a, c := newTenant(t), consumer(t, "killed")
	a.own(c)
	one, two := ownIntegration(t), ownIntegration(t)
	var mu sync.Mutex
	seen, again := map[numbered.Message]bool{}, 0
	var received []numbered.Stored
	reader := &shareReader{
		received: func(m numbered.Message) {
			mu.Lock()
			defer mu.Unlock()
			if seen[m] {
				again++
				return
			}
			seen[m] = true
			received = append(received, numbered.Stored{Message: m})
		},
		problem: func(err error) { t.Error(err) },
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(received)
	}
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	topic := "$share/g/app/" + a.name
	reading.Go(func() { reader.run(ctx, "one", topic, c.name, c.secret, one.mqtt, two.mqtt) })
	reading.Go(func() { reader.run(ctx, "two", topic, c.name, c.secret, two.mqtt, one.mqtt) })
	// The group has to exist before the first message.
	a.device("first", password("p"))
	neighbour.Eventually(t, "the group to be there", func() bool {
		m := numbered.Message{Device: "first", Number: 1}
		accepted(t, "first", post(t, here.telemetry.URL()+"/v1/load", "first@"+a.name+":p", string(m.Body()), "-H", "Content-Type: application/json"))
		return count() > 0
	})
	mu.Lock()
	received = nil
	mu.Unlock()
	l := startLoadOf(t, a, here.telemetry)
	for range 2 {
		l.more(500)
		one.Kill()
		l.more(500)
		if err := one.Start(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	l.more(500)
	l.stop()
	acknowledged := l.checker.Counts().Acknowledged
	neighbour.Eventually(t, "every event to be consumed", func() bool { return count() >= acknowledged })
	stop()
	reading.Wait()
	stored := slices.DeleteFunc(received, func(s numbered.Stored) bool { return s.Device == "first" })
	if faults := l.checker.Verify(stored); len(faults) > 0 {
		t.Errorf("%d faults:\n%s", len(faults), numbered.Summary(faults))
	}
	t.Logf("%d messages, %d of them again", len(stored), again)
}
