package mqtt

import (
	"net"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A client library that nobody here wrote connects, subscribes, publishes, gets a message, and leaves. It has a will
// that is to be retained, which is not: the server says so.
func TestPaho(t *testing.T) {
	g := &gateway{}
	address := listenTCP(t, NewServer(DefaultConfig(), g, nil))
	link, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan *paho.Publish, 1)
	c := paho.NewClient(paho.ClientConfig{Conn: link, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) {
			received <- p.Packet
			return true, nil
		},
	}})
	connack, err := c.Connect(t.Context(), &paho.Connect{KeepAlive: 30, CleanStart: true, ClientID: "me",
		WillMessage: &paho.WillMessage{Topic: "gone", Retain: true, QoS: 1}})
	if err != nil || connack.ReasonCode != 0 {
		t.Fatal(connack, err)
	}
	suback, err := c.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "command/#", QoS: 1}}})
	if err != nil || suback.Reasons[0] != 0 {
		t.Fatal(suback, err)
	}
	for range 100 {
		answer, err := c.Publish(t.Context(), &paho.Publish{Topic: "t", QoS: 1, Payload: []byte("x")})
		if err != nil || answer.ReasonCode != 0 {
			t.Fatal(answer, err)
		}
	}
	g.all()[0].conn.Deliver(&packet.Publish{Topic: "command/on", Payload: []byte("now"), SubscriptionIDs: []uint32{7}, ContentType: "a/b"})
	if p := <-received; p.Topic != "command/on" || string(p.Payload) != "now" || *p.Properties.SubscriptionIdentifier != 7 || p.Properties.ContentType != "a/b" {
		t.Errorf("got %v", p)
	}
	if err := c.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
	waitFor(t, func() bool { ends := g.all()[0].ends(); return len(ends) == 1 && ends[0].Normal })
}
