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
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// Whatever devices speak, every consumer gets the same events, in every mode.
func TestEveryProtocolReachesEveryConsumer(t *testing.T) {
	a, c := newTenant(t), consumer(t, "matrix")
	a.own(c)
	a.device("device", password("p"))
	g, devices := ownIntegration(t), ownMQTT(t)
	host, port, err := net.SplitHostPort(g.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	login := []string{"-h", host, "-p", port, "-u", c.name, "-P", c.secret, "-q", "1"}
	consumers := map[string]bool{}
	events := map[string]map[string]shown{} // by consumer and channel
	var mu sync.Mutex
	take := func(name string, read func(string) (shown, bool)) func(string) {
		consumers[name], events[name] = true, map[string]shown{}
		return func(line string) {
			if e, ok := read(line); ok {
				mu.Lock()
				defer mu.Unlock()
				events[name][e.Subject] = e
			}
		}
	}
	ofStream := func(line string) (shown, bool) {
		data, ok := dataOf(line)
		if !ok {
			return shown{}, false
		}
		return structuredEvent(data)
	}
	topic := "app/" + a.name
	follow(t, take("mqtt 3.1.1", structuredEvent), "mosquitto_sub", append(slices.Clone(login), "-t", topic, "-i", "old")...)
	follow(t, take("mqtt 5", structuredEvent), "mosquitto_sub", append(slices.Clone(login), "-V", "5", "-t", "$share/g/"+topic)...)
	follow(t, take("mqtt 5 binary", binaryEvent), "mosquitto_sub", append(slices.Clone(login), "-V", "5", "-t", topic+"/+/device", "-F", "%J",
		"-D", "subscribe", "user-property", "content-mode", "binary")...)
	follow(t, take("sse", ofStream), "curl", "-sN", "--noproxy", "*", "-u", c.name+":"+c.secret, "http://"+g.web+"/"+a.name)
	webSocket(t, "ws://"+g.web+"/"+a.name+"?username="+c.name+"&api_key="+c.secret, take("websocket", structuredEvent))
	webSocket(t, "ws://"+g.web+"/"+a.name+"?group_id=w&token="+c.secret, take("websocket, group", structuredEvent))

	// What was sent before a consumer has subscribed is not for it: one event tells that all have.
	neighbour.Eventually(t, "all consumers to be there", func() bool {
		accepted(t, "hello", post(t, here.telemetry.URL()+"/v1/hello", "device@"+a.name+":p", `{}`, "-H", "Content-Type: application/json"))
		mu.Lock()
		defer mu.Unlock()
		for name := range consumers {
			if _, ok := events[name]["hello"]; !ok {
				return false
			}
		}
		return true
	})
	const body = `{"temperature":21.5}`
	accepted(t, "http", post(t, here.telemetry.URL()+"/v1/http?data_schema=urn:schema", "device@"+a.name+":p", body, "-H", "Content-Type: application/json"))
	for version, channel := range map[string]string{"mqttv311": "mqtt3", "mqttv5": "mqtt5"} {
		arguments := []string{"-V", version, "-q", "1", "-t", channel, "-m", body}
		if version == "mqttv5" {
			arguments = append(arguments, "-D", "publish", "content-type", "application/json")
		}
		if output, ok := mosquittoPub(t, devices.tcp, "device@"+a.name, "p", arguments...); !ok {
			t.Fatal(output)
		}
	}
	for channel, schema := range map[string]string{"http": "urn:schema", "mqtt3": "", "mqtt5": ""} {
		neighbour.Eventually(t, "the event of "+channel+" everywhere", func() bool {
			mu.Lock()
			defer mu.Unlock()
			for name := range consumers {
				if _, ok := events[name][channel]; !ok {
					return false
				}
			}
			return true
		})
		for name := range consumers {
			mu.Lock()
			got := events[name][channel]
			mu.Unlock()
			want := shown{
				ID: got.ID, Type: "io.drogue.event.v1", Subject: channel, Application: a.name, Device: "device", Sender: "device", Instance: "drogue",
				Schema: schema, ContentType: got.ContentType, Data: map[string]any{"temperature": 21.5},
			}
			if channel == "mqtt3" { // says nothing of its content
				want.Data = got.Data
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s to %s: %s", channel, name, diff)
			}
		}
	}
}

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
