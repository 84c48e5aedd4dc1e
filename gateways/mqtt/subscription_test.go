package mqtt

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

func subscribe(s *session, filter string, id uint32) packet.Reason {
	return s.Subscribe(packet.Subscription{Filter: filter, QoS: 1}, id, nil)
}

// send hands the gateway's process a command that the device is to get.
func (f *fixture) send(device, name string) {
	f.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: device, Name: name, ContentType: "text/plain", Payload: []byte("on")})
}

func topics(p *peer) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.delivered {
		all = append(all, m.Topic)
	}
	return all
}

func TestSubscribe(t *testing.T) {
	f := func(filters []string, want ...string) {
		t.Helper()
		fx := newFixture(nil)
		s, p := fx.connected(t)
		for _, filter := range filters {
			if got := subscribe(s, filter, 0); got != packet.Success {
				t.Errorf("%q: %v", filter, got)
			}
		}
		fx.send("device", "own")
		fx.send("other", "proxied")
		fx.hub.Deliver(command.Command{Application: "app", Gateway: "stranger", Device: "device", Name: "elsewhere"})
		fx.hub.Deliver(command.Command{Application: "app2", Gateway: "device", Device: "device", Name: "tenant"})
		got := topics(p)
		if len(filters) > 1 { // listeners have no order
			got, want = sorted(got), sorted(want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", filters, diff)
		}
	}
	f([]string{"command/inbox/#"}, "command/inbox//own", "command/inbox/other/proxied")
	f([]string{"command/inbox/+/#"}, "command/inbox//own", "command/inbox/other/proxied")
	f([]string{"command/inbox//#"}, "command/inbox//own")
	f([]string{"command/inbox/device/#"}, "command/inbox/device/own")
	f([]string{"command/inbox/other/#"}, "command/inbox/other/proxied")
	f([]string{"command/inbox/stranger/#"})
	// Overlapping filters deliver once each, the same filter twice delivers once.
	f([]string{"command/inbox/#", "command/inbox//#", "command/inbox/device/#", "command/inbox/#"},
		"command/inbox//own", "command/inbox//own", "command/inbox/device/own", "command/inbox/other/proxied")
}

func TestSubscribeRefuses(t *testing.T) {
	fx := newFixture(func(c *Config) { c.MaxSubscriptions = 2 })
	s, _ := fx.connected(t)
	f := func(filter string, want packet.Reason) {
		t.Helper()
		if got := subscribe(s, filter, 0); got != want {
			t.Errorf("%q: %v, want %v", filter, got, want)
		}
	}
	f("#", packet.TopicFilterInvalid)
	f("temp", packet.TopicFilterInvalid)
	f("command/inbox/other/set", packet.TopicFilterInvalid)
	f("$share/group/command/inbox/#", packet.TopicFilterInvalid)
	f("command/inbox/a/#", packet.Success)
	f("command/inbox/b/#", packet.Success)
	f("command/inbox/c/#", packet.QuotaExceeded)
	f("command/inbox/a/#", packet.Success)
	if got := fx.subscriptions.Load(); got != 2 {
		t.Errorf("%d subscriptions", got)
	}
}

func TestUnsubscribe(t *testing.T) {
	f := newFixture(nil)
	s, p := f.connected(t)
	subscribe(s, "command/inbox/#", 0)
	subscribe(s, "command/inbox/+/#", 0)
	for _, unknown := range []string{"command/inbox//#", "#", ""} {
		if got := s.Unsubscribe(unknown); got != packet.NoSubscriptionExisted {
			t.Errorf("%q: %v", unknown, got)
		}
	}
	if got := s.Unsubscribe("command/inbox/#"); got != packet.Success {
		t.Error(got)
	}
	if got := s.Unsubscribe("command/inbox/#"); got != packet.NoSubscriptionExisted {
		t.Errorf("a second time: %v", got)
	}
	f.send("device", "x")
	if got := topics(p); len(got) != 1 {
		t.Errorf("delivered %q", got)
	}
	s.Unsubscribe("command/inbox/+/#")
	f.send("device", "x")
	if got := topics(p); len(got) != 1 {
		t.Errorf("delivered %q after the last subscription ended", got)
	}
}

func TestDelivery(t *testing.T) {
	f := newFixture(nil)
	s, p := f.connected(t)
	subscribe(s, "command/inbox/#", 7)
	f.send("device", "set")
	subscribe(s, "command/inbox/#", 0) // replaces the identifier
	f.send("other", "set")
	want := []packet.Publish{
		{Topic: "command/inbox//set", Payload: []byte("on"), ContentType: "text/plain", SubscriptionIDs: []uint32{7}},
		{Topic: "command/inbox/other/set", Payload: []byte("on"), ContentType: "text/plain"},
	}
	if diff := cmp.Diff(want, p.delivered); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommandsThatNoTopicCanHold(t *testing.T) {
	f := newFixture(nil)
	s, p := f.connected(t)
	subscribe(s, "command/inbox/#", 0)
	for _, name := range []string{"a+", "#", "\x00", "\xff", string(make([]byte, 70_000))} {
		f.send("device", name)
	}
	f.send("a+b", "x")
	if got := topics(p); len(got) != 0 {
		t.Errorf("delivered %d", len(got))
	}
}

// Devices come and go while commands are sent.
func TestSubscriptionsUnderConcurrency(t *testing.T) {
	f := newFixture(nil)
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			select {
			case <-stop:
				return
			default:
				f.send("device", "x")
			}
		}
	}()
	for i := range 50 {
		s, p := f.connected(t)
		subscribe(s, "command/inbox/#", uint32(i))
		subscribe(s, "command/inbox/"+strconv.Itoa(i)+"/#", 0)
		f.send("device", "mine")
		s.Unsubscribe("command/inbox/#")
		if len(topics(p)) == 0 {
			t.Fatal("nothing was delivered")
		}
		s.Closed(closedNormally)
	}
	close(stop)
	<-sent
	if got := f.subscriptions.Load(); got != 0 {
		t.Errorf("%d subscriptions are left", got)
	}
}
