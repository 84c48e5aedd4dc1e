package mqtt_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// tokens are the users that a gateway admits, by their token.
type tokens struct {
	mu    sync.Mutex
	valid map[string]*token
}

// A token is an admission.
type token struct {
	mu      sync.Mutex
	revoked func() // of the one session that there is
}

func (*token) Until() time.Time { return time.Time{} }

func (t *token) OnRevoked(call func()) (stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = call
	return func() bool { return true }
}

func (t *tokens) check(text string) (mqtt.Admission, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.valid[text]; ok {
		return known, nil
	}
	return nil, outcome.New(outcome.Unauthenticated, "")
}

// withdraw takes a token away from its user.
func (t *tokens) withdraw(text string) {
	t.mu.Lock()
	known := t.valid[text]
	delete(t.valid, text)
	t.mu.Unlock()
	known.mu.Lock()
	defer known.mu.Unlock()
	known.revoked()
}

// A subscriber is a client of version 5 that nobody here wrote.
type subscriber struct {
	*paho.Client
	t        *testing.T
	received chan *paho.Publish
	left     chan *paho.Disconnect
}

func newSubscriber(t *testing.T, at net.Addr) *subscriber {
	t.Helper()
	link, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close() })
	s := &subscriber{t: t, received: make(chan *paho.Publish, 10), left: make(chan *paho.Disconnect, 1)}
	s.Client = paho.NewClient(paho.ClientConfig{
		Conn:               packets.NewThreadSafeConn(link),
		OnServerDisconnect: func(d *paho.Disconnect) { s.left <- d },
		OnClientError:      func(error) {},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			s.received <- p.Packet
			return true, nil
		}},
	})
	return s
}

// connect tells what CONNACK says.
func (s *subscriber) connect(token string) byte {
	s.t.Helper()
	connack, err := s.Connect(s.t.Context(), &paho.Connect{ClientID: "c", CleanStart: true, KeepAlive: 30, UsernameFlag: true, Username: "me", PasswordFlag: true, Password: []byte(token)})
	if connack == nil {
		s.t.Fatal(err)
	}
	return connack.ReasonCode
}

func (s *subscriber) subscribe(filter string) {
	s.t.Helper()
	if _, err := s.Subscribe(s.t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter}}}); err != nil {
		s.t.Fatal(err)
	}
}

// publish tells what PUBACK says.
func (s *subscriber) publish(topic string) byte {
	s.t.Helper()
	puback, err := s.Publish(s.t.Context(), &paho.Publish{Topic: topic, QoS: 1})
	if puback == nil {
		s.t.Fatal(err)
	}
	return puback.ReasonCode
}

// soon receives something that must come.
func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not come", what)
	}
	return v
}

// A second gateway listens, admits, delivers, has log-ins judged again, reports and drains with the parts of this package.
func TestSecondGateway(t *testing.T) {
	users := &tokens{valid: map[string]*token{"one": {}, "two": {}}}
	reports := make(chan refusal.Report, 10)
	commands := make(chan string, 10)
	g := newUserGateway(users.check, func(command string, done func(outcome.Result)) {
		commands <- command
		done(outcome.Result{Outcome: outcome.Accepted})
	}, func(r refusal.Report) { reports <- r })
	c := mqtt.DefaultListenConfig()
	c.TCP.Address, c.WebSocket.Address = "127.0.0.1:0", "127.0.0.1:0"
	listeners, err := mqtt.Listen(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.serve(ctx, listeners) }()
	at := listeners.TCP.Addr()

	if got := newSubscriber(t, at).connect("none"); got != 0x86 {
		t.Errorf("CONNACK %#x", got)
	}
	if r := soon(t, "the report", reports); r.Answer != "CONNACK 0x86" {
		t.Errorf("%+v", r)
	}
	one, two := newSubscriber(t, at), newSubscriber(t, at)
	if a, b := one.connect("one"), two.connect("two"); a != 0 || b != 0 {
		t.Fatalf("CONNACK %#x, %#x", a, b)
	}
	one.subscribe("app/plant")
	two.subscribe("app/plant")
	g.event("21.5")
	for _, s := range []*subscriber{one, two} {
		if p := soon(t, "the event", s.received); p.Topic != "app/plant" || string(p.Payload) != "21.5" {
			t.Errorf("%s %s", p.Topic, p.Payload)
		}
	}
	if got := one.publish("command/valve/close"); got != 0 || soon(t, "the command", commands) != "valve/close" {
		t.Errorf("PUBACK %#x", got)
	}
	if got := one.publish("elsewhere"); got != 0x90 {
		t.Errorf("PUBACK %#x", got)
	}
	users.withdraw("one")
	if d := soon(t, "DISCONNECT", one.left); d.ReasonCode != 0x98 {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
	stop()
	if d := soon(t, "DISCONNECT", two.left); d.ReasonCode != 0x8B {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
	if err := soon(t, "the end", ended); err != nil {
		t.Error(err)
	}
	if n := g.rechecks.Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
