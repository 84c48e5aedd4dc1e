package integration

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A subscriber is a client of version 5.
type subscriber struct {
	*paho.Client
	t        *testing.T
	received chan *paho.Publish
	left     chan *paho.Disconnect
}

// subscriber connects.
func (w *world) subscriber(id, token string, change func(*paho.ClientConfig, *paho.Connect)) *subscriber {
	w.Helper()
	link, err := net.Dial("tcp", w.mqtt)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = link.Close() })
	s := &subscriber{t: w.T, received: make(chan *paho.Publish, 1000), left: make(chan *paho.Disconnect, 1)}
	c := paho.ClientConfig{
		Conn:               packets.NewThreadSafeConn(link),
		OnServerDisconnect: func(d *paho.Disconnect) { s.left <- d },
		OnClientError:      func(error) {},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			s.received <- p.Packet
			return true, nil
		}},
	}
	connect := &paho.Connect{ClientID: id, CleanStart: true, KeepAlive: 30, UsernameFlag: token != "", Username: token}
	if change != nil {
		change(&c, connect)
	}
	s.Client = paho.NewClient(c)
	if _, err := s.Connect(w.Context(), connect); err != nil {
		w.Fatal(err)
	}
	return s
}

// subscribe tells what SUBACK says.
func (s *subscriber) subscribe(filter string, properties ...string) byte {
	s.t.Helper()
	request := &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}, Properties: &paho.SubscribeProperties{}}
	for i := 0; i+1 < len(properties); i += 2 {
		request.Properties.User.Add(properties[i], properties[i+1])
	}
	suback, err := s.Subscribe(s.t.Context(), request)
	if suback == nil {
		s.t.Fatal(err)
	}
	return suback.Reasons[0]
}

func (s *subscriber) next() *paho.Publish {
	s.t.Helper()
	return soon(s.t, "an event", s.received)
}

func TestStructuredAndBinary(t *testing.T) {
	w := newWorld(t, nil)
	plain, binary := w.subscriber("a", "ada", nil), w.subscriber("b", "ada", nil)
	if a, b := plain.subscribe("app/plant"), binary.subscribe("$share/g/a/plant/+/+", "content-mode", "binary"); a != 1 || b != 1 {
		t.Fatalf("SUBACK %#x, %#x", a, b)
	}
	w.produce(deviceEvent("1", "temp", "d/1"))
	p := plain.next()
	same(t, string(p.Payload), structured("1", "temp", "d/1"))
	if p.Topic != "app/plant" || p.QoS != 1 || p.Properties.ContentType != structuredType || *p.Properties.PayloadFormat != 1 {
		t.Errorf("%+v %+v", p, p.Properties)
	}
	p = binary.next()
	same(t, string(p.Payload), `{"v":1}`)
	u := p.Properties.User
	if p.Topic != "a/plant/temp/d%2F1" || p.Properties.ContentType != "application/json" || u.Get("subject") != "temp" || u.Get("dataschema") != "urn:schema" || u.Get("specversion") != "1.0" {
		t.Errorf("%+v %+v", p, p.Properties)
	}
}

func TestRefusedSubscriptions(t *testing.T) {
	w := newWorld(t, nil)
	s := w.subscriber("bob", "bob", nil)
	f := func(filter string, want byte, properties ...string) {
		t.Helper()
		if got := s.subscribe(filter, properties...); got != want {
			t.Errorf("%s: SUBACK %#x, want %#x", filter, got, want)
		}
	}
	f("app/plant", 0x87)
	f("app/nowhere", 0x87)
	f("app/#", 0xA2)
	f("elsewhere", 0x8F)
	f("app/public", 0x83, "content-mode", "xml")
	f("app/public", 0x83, "from", "yesterday")
	f("app/public", 1, "from", "earliest")
	nobody := w.subscriber("", "", nil)
	if a, b := nobody.subscribe("app/public"), nobody.subscribe("app/plant"); a != 1 || b != 0x87 {
		t.Errorf("nobody: SUBACK %#x, %#x", a, b)
	}
	if puback, _ := nobody.Publish(t.Context(), &paho.Publish{Topic: "app/public", QoS: 1}); puback == nil || puback.ReasonCode != 0x90 {
		t.Errorf("%+v", puback)
	}
	link, err := net.Dial("tcp", w.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	eve := paho.NewClient(paho.ClientConfig{Conn: link})
	if ca, _ := eve.Connect(t.Context(), &paho.Connect{ClientID: "eve", CleanStart: true, UsernameFlag: true, Username: "eve"}); ca == nil || ca.ReasonCode != 0x86 {
		t.Errorf("%+v", ca)
	}
}

// The end of a shared subscription is one, and what comes then is for others.
func TestUnsubscribeOfASharedSubscription(t *testing.T) {
	w := newWorld(t, nil)
	const filter = "$share/g/app/plant"
	s := w.subscriber("a", "ada", nil)
	s.subscribe(filter)
	w.produce(deviceEvent("1", "temp", "d"))
	s.next()
	unsuback, err := s.Unsubscribe(t.Context(), &paho.Unsubscribe{Topics: []string{filter}})
	if err != nil || unsuback.Reasons[0] != 0 {
		t.Fatalf("%+v, %v", unsuback, err)
	}
	other := w.subscriber("b", "ada", nil)
	other.subscribe(filter)
	w.produce(deviceEvent("2", "temp", "d"), deviceEvent("3", "temp", "d"))
	same(t, string(other.next().Payload), structured("2", "temp", "d"))
	same(t, string(other.next().Payload), structured("3", "temp", "d"))
	if len(s.received) != 0 {
		t.Error("something comes after UNSUBACK")
	}
}

// What a client did not acknowledge comes again when it reconnects, and what it did does not.
func TestUnacknowledgedComesAgain(t *testing.T) {
	w := newWorld(t, nil)
	manual := func(c *paho.ClientConfig, connect *paho.Connect) {
		c.EnableManualAcknowledgment = true
		two := uint16(2)
		connect.Properties = &paho.ConnectProperties{ReceiveMaximum: &two}
	}
	const filter = "$share/g/app/plant"
	s := w.subscriber("a", "ada", manual)
	s.subscribe(filter)
	w.produce(deviceEvent("1", "temp", "d"), deviceEvent("2", "temp", "d"), deviceEvent("3", "temp", "d"), deviceEvent("4", "temp", "d"))
	first := s.next()
	s.next()
	if err := s.Ack(first); err != nil {
		t.Fatal(err)
	}
	same(t, string(s.next().Payload), structured("3", "temp", "d"))
	if len(s.received) != 0 {
		t.Error("more comes than the client takes at once")
	}
	if err := s.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	again := w.subscriber("a", "ada", nil)
	again.subscribe(filter)
	for _, id := range []string{"2", "3", "4"} {
		same(t, string(again.next().Payload), structured(id, "temp", "d"))
	}
	if err := again.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	last := w.subscriber("a", "ada", nil)
	last.subscribe(filter)
	w.produce(deviceEvent("5", "temp", "d"))
	// Paho sends acknowledgements a moment after it was told to, so that the last one may have gone with the connection.
	payload := string(last.next().Payload)
	if payload == structured("4", "temp", "d") {
		payload = string(last.next().Payload)
	}
	same(t, payload, structured("5", "temp", "d"))
}

// A client that acknowledges nothing holds up only itself.
func TestClientThatDoesNotAcknowledge(t *testing.T) {
	w := newWorld(t, nil)
	stuck := w.subscriber("stuck", "ada", func(c *paho.ClientConfig, _ *paho.Connect) { c.EnableManualAcknowledgment = true })
	stuck.subscribe("app/plant")
	other := w.subscriber("other", "ada", nil)
	other.subscribe("app/plant")
	const all = 3000
	go func() {
		for i := range all {
			w.producer.Produce(context.Background(), deviceEvent(strings.Repeat("1", i%5+1), "temp", "d"), nil)
		}
	}()
	for range all {
		other.next()
	}
	if n := len(stuck.received); n > 1000+1024 {
		t.Errorf("%d events", n)
	}
}

// Two clients of a group share the events, and a client that connects again takes over.
func TestSharedSubscription(t *testing.T) {
	w := newWorld(t, nil)
	const filter = "$share/g/app/plant"
	var got [2]*subscriber
	for i, id := range []string{"a", "b"} {
		got[i] = w.subscriber(id, "ada", nil)
		got[i].subscribe(filter)
	}
	neighbour.Eventually(t, "both to have a share", func() bool {
		one, two := deviceEvent("1", "temp", "d"), deviceEvent("2", "temp", "d")
		two.Partition = 1
		w.produce(one, two)
		return len(got[0].received) > 0 && len(got[1].received) > 0
	})
	w.subscriber("a", "ada", nil)
	if d := soon(t, "DISCONNECT", got[0].left); d.ReasonCode != 0x8E {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
}

func TestVersion311(t *testing.T) {
	w := newWorld(t, nil)
	received := make(chan paho3.Message, 10)
	lost := make(chan error, 1)
	options := paho3.NewClientOptions().AddBroker("tcp://" + w.mqtt).SetClientID("old").SetUsername("ada").SetPassword("ada").SetAutoReconnect(false).
		SetConnectionLostHandler(func(_ paho3.Client, err error) { lost <- err })
	c := paho3.NewClient(options)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	token := c.SubscribeMultiple(map[string]byte{"$share/g/app/plant": 2, "app/nowhere": 1}, func(_ paho3.Client, m paho3.Message) { received <- m })
	token.Wait()
	if result := token.(*paho3.SubscribeToken).Result(); result["$share/g/app/plant"] != 1 || result["app/nowhere"] != 0x80 {
		t.Fatalf("SUBACK %v", result)
	}
	w.produce(deviceEvent("1", "temp", "d"))
	m := soon(t, "an event", received)
	same(t, string(m.Payload()), structured("1", "temp", "d"))
	if m.Topic() != "app/plant" || m.Qos() != 1 {
		t.Errorf("%s %d", m.Topic(), m.Qos())
	}
	w.withdraw()
	soon(t, "the end of the connection", lost)
}

func TestSessionsEndWithTheirAdmission(t *testing.T) {
	w := newWorld(t, nil)
	s := w.subscriber("a", "ada", nil)
	s.subscribe("app/plant")
	w.withdraw()
	if d := soon(t, "DISCONNECT", s.left); d.ReasonCode != 0x98 {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
	w.people.mu.Lock()
	w.people.denied, w.people.until = false, time.Now().Add(500*time.Millisecond)
	w.people.mu.Unlock()
	s = w.subscriber("a", "ada", nil)
	if d := soon(t, "DISCONNECT", s.left); d.ReasonCode != 0x98 || !strings.Contains(d.Properties.ReasonString, "expired") {
		t.Errorf("DISCONNECT %#x %+v", d.ReasonCode, d.Properties)
	}
}

func TestShutdownCommits(t *testing.T) {
	w := newWorld(t, nil)
	s := w.subscriber("a", "ada", nil)
	s.subscribe("app/plant")
	w.produce(deviceEvent("1", "temp", "d"))
	s.next()
	w.stop()
	if d := soon(t, "DISCONNECT", s.left); d.ReasonCode != 0x8B {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
}
