package mqtt

import (
	"context"
	"net"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	v3 "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/outcome"
)

func TestVersion5(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := tcp5(t, at.TCP)
	connack := c.connect5(t, login5())
	if connack.ReasonCode != 0 || connack.Properties.MaximumQoS == nil || *connack.Properties.MaximumQoS != 1 {
		t.Fatalf("CONNACK %+v", connack)
	}

	g := func(want byte, p paho.Publish) {
		t.Helper()
		if got := c.publish5(t, &p); got != want {
			t.Errorf("PUBLISH at %q: %#x, want %#x", p.Topic, got, want)
		}
	}
	g(0x00, paho.Publish{Topic: "temp", Payload: []byte(`{"t":1}`), Properties: &paho.PublishProperties{
		ContentType: "application/json", User: paho.UserProperties{{Key: "batch", Value: "7"}, {Key: "device", Value: "forged"}},
	}})
	g(0x00, paho.Publish{Topic: "temp/other", Payload: []byte("x")})
	g(0x87, paho.Publish{Topic: "temp/stranger", Payload: []byte("x")})
	g(0x90, paho.Publish{Topic: "a/b/c", Payload: []byte("x")})
	g(0x99, paho.Publish{Topic: "temp", Payload: []byte("{"), Properties: &paho.PublishProperties{ContentType: "application/json"}})
	g(0x00, paho.Publish{Topic: "temp", Payload: nil})

	records := f.writer.all()
	if len(records) != 3 || header(records[0], "ce_batch") != "7" || header(records[0], "ce_device") != "device" || header(records[1], "ce_device") != "other" {
		t.Errorf("%d records", len(records))
	}
	if err := c.Client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
	eventually(t, "release", func() bool { return len(f.roll.ends()) == 1 })
	if f.roll.ends()[0] {
		t.Error("the will of a client that took its leave was published")
	}
}

func TestCommandsInVersion5(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected5(t, at.TCP)
	id := 7
	suback, err := c.Subscribe(t.Context(), &paho.Subscribe{
		Properties:    &paho.SubscribeProperties{SubscriptionIdentifier: &id},
		Subscriptions: []paho.SubscribeOptions{{Topic: "command/inbox/#", QoS: 1}},
	})
	if err != nil || suback.Reasons[0] != 0 {
		t.Fatalf("%+v, %v", suback, err)
	}
	f.send("other", "set")
	m := soon(t, "the command", c.received)
	if m.Topic != "command/inbox/other/set" || string(m.Payload) != "on" || m.QoS != 0 || m.Properties.ContentType != "text/plain" ||
		m.Properties.SubscriptionIdentifier == nil || *m.Properties.SubscriptionIdentifier != id {
		t.Errorf("%+v %+v", m, m.Properties)
	}
	suback, _ = c.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "command/inbox//#"}, {Topic: "temp"}}})
	if suback == nil || string(suback.Reasons) != "\x00\x8f" {
		t.Errorf("SUBACK %+v", suback)
	}
	unsuback, _ := c.Unsubscribe(t.Context(), &paho.Unsubscribe{Topics: []string{"command/inbox/#", "command/inbox/+/#"}})
	if unsuback == nil || string(unsuback.Reasons) != "\x00\x11" {
		t.Errorf("UNSUBACK %+v", unsuback)
	}
	f.send("other", "not for it")
	f.send("device", "own")
	if m := soon(t, "the command", c.received); m.Topic != "command/inbox//own" {
		t.Errorf("%+v", m)
	}
}

func TestVersion311(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected3(t, at.TCP, nil)
	if err := done(t, c.Publish("temp", 1, false, "x")); err != nil {
		t.Error(err)
	}
	if err := done(t, c.Subscribe("command/inbox/#", 1, nil)); err != nil {
		t.Error(err)
	}
	f.send("device", "set")
	if m := soon(t, "the command", c.received); m.Topic() != "command/inbox//set" || string(m.Payload()) != "on" {
		t.Errorf("%s %s", m.Topic(), m.Payload())
	}
	token := c.Subscribe("temp", 1, nil)
	if done(t, token); token.(*v3.SubscribeToken).Result()["temp"] != 0x80 {
		t.Errorf("SUBACK %v", token.(*v3.SubscribeToken).Result())
	}
	if err := done(t, c.Unsubscribe("whatever")); err != nil {
		t.Error(err)
	}

	// What can never be stored is acknowledged: there is no word for a refusal. What may be stored the next time closes the
	// connection.
	for _, topic := range []string{"temp/stranger", "a/b/c"} {
		c.Publish(topic, 0, false, "x")
		if err := done(t, c.Publish(topic, 1, false, "x")); err != nil {
			t.Error(err)
		}
	}
	if err := done(t, c.Publish("temp", 1, false, "y")); err != nil {
		t.Error(err)
	}
	if got := len(f.writer.all()); got != 2 {
		t.Errorf("%d records", got)
	}
	f.writer.fail(outcome.New(outcome.Unavailable, ""))
	c.Publish("temp", 1, false, "z")
	soon(t, "the end of the connection", c.lost)
	eventually(t, "release", func() bool { return len(f.roll.ends()) == 1 })
	if !f.roll.ends()[0] {
		t.Error("the will was not published")
	}
}

func TestRefusedLogIns(t *testing.T) {
	f := func(what string, prepare func(*fixture), password string, want5, want3 byte) {
		t.Helper()
		fx := newFixture(nil)
		prepare(fx)
		at := start(t, fx.Gateway, protocol.Listeners{})
		connect := login5()
		connect.Password = []byte(password)
		if got := tcp5(t, at.TCP).connect5(t, connect); got.ReasonCode != want5 {
			t.Errorf("%s: CONNACK %#x, want %#x", what, got.ReasonCode, want5)
		}
		token := tcp3(t, at.TCP, func(o *v3.ClientOptions) { o.SetPassword(password) }).Connect()
		if err := done(t, token); err == nil || token.(*v3.ConnectToken).ReturnCode() != want3 {
			t.Errorf("%s: return code %d, want %d", what, token.(*v3.ConnectToken).ReturnCode(), want3)
		}
	}
	f("wrong password", func(*fixture) {}, "wrong", 0x86, packets.ErrRefusedBadUsernameOrPassword)
	f("registry away", func(f *fixture) { f.documents.setAway(true) }, "secret", 0x88, packets.ErrRefusedServerUnavailable)
	f("presence away", func(f *fixture) { f.roll.err = outcome.New(outcome.Unavailable, "") }, "secret", 0x88, packets.ErrRefusedServerUnavailable)
	f("busy", func(f *fixture) { f.devices = busy{} }, "secret", 0x89, packets.ErrRefusedServerUnavailable)
	f("dialect", func(f *fixture) { f.documents.putApplication("app", `{"mqtt":1}`) }, "secret", 0x83, packets.ErrRefusedServerUnavailable)
}

func TestWillOfALostConnection(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := tcp5(t, at.TCP)
	p := login5()
	p.WillMessage = &paho.WillMessage{Topic: "gone/for/good", Payload: []byte("bye"), QoS: 1, Retain: true}
	c.connect5(t, p)
	_ = c.link.Close()
	eventually(t, "release", func() bool { return len(f.roll.ends()) == 1 })
	if w := f.roll.claims[0].will; !f.roll.ends()[0] || w.Topic != "gone/for/good" || string(w.Payload) != "bye" {
		t.Errorf("will %+v", w)
	}
}

func TestRevokedConnection(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected5(t, at.TCP)
	f.documents.putDevice("app", "device", "uid-device", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"secret"}]}}`)
	f.changed("app", "device")
	if d := soon(t, "DISCONNECT", c.left); d.ReasonCode != 0x98 {
		t.Errorf("%#x", d.ReasonCode)
	}
}

func TestTakenOverConnection(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected5(t, at.TCP)
	f.roll.claims[0].lost()
	if d := soon(t, "DISCONNECT", c.left); d.ReasonCode != 0x8E {
		t.Errorf("%#x", d.ReasonCode)
	}
}

// At the end, what Kafka acknowledges is acknowledged, and clients are told.
func TestDrain(t *testing.T) {
	f := newFixture(nil)
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected5(t, at.TCP)
	f.writer.held = true
	answer := make(chan byte, 1)
	go func() {
		if puback, err := c.Publish(context.Background(), &paho.Publish{Topic: "temp", QoS: 1}); err == nil {
			answer <- puback.ReasonCode
		}
	}()
	eventually(t, "message on its way", func() bool { return len(f.writer.all()) == 1 })
	at.stop()
	eventually(t, "no new connections", func() bool {
		link, err := net.Dial("tcp", at.TCP.Addr().String())
		if err == nil {
			_ = link.Close()
		}
		return err != nil
	})
	select {
	case <-at.ended:
		t.Error("did not wait for Kafka")
	default:
	}
	f.writer.release()
	if got := soon(t, "PUBACK", answer); got != 0 {
		t.Errorf("PUBACK %#x", got)
	}
	if d := soon(t, "DISCONNECT", c.left); d.ReasonCode != 0x8B {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
	if err := soon(t, "the end", at.ended); err != nil {
		t.Error(err)
	}
	if got := f.roll.ends(); len(got) != 1 {
		t.Errorf("released %v", got)
	}
}
