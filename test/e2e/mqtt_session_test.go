//go:build integration

package e2e

import (
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A seat is a device that is connected, and what the gateway says when that ends.
type seat struct {
	*paho.Client
	mu      sync.Mutex
	reasons []byte
	gone    chan struct{}
}

// sit connects a device with a will in the channel "will".
func sit(t *testing.T, g *mqttGateway, user string) *seat {
	t.Helper()
	s := &seat{gone: make(chan struct{})}
	closeOnce := sync.OnceFunc(func() { close(s.gone) })
	s.Client = connect5(t, dial5(t, g, "tcp://"+g.tcp), user, "p", func(c *paho.ClientConfig, p *paho.Connect) {
		c.OnServerDisconnect = func(d *paho.Disconnect) {
			s.mu.Lock()
			s.reasons = append(s.reasons, d.ReasonCode)
			s.mu.Unlock()
			closeOnce()
		}
		c.OnClientError = func(error) { closeOnce() }
		p.WillMessage = &paho.WillMessage{Topic: "will", Payload: []byte("gone"), QoS: 1}
	})
	return s
}

// expectEnd waits until the gateway has ended the connection, and checks the reason.
func (s *seat) expectEnd(t *testing.T, what string, reason byte) {
	t.Helper()
	select {
	case <-s.gone:
	case <-time.After(waitLimit):
		t.Fatalf("%s: the connection stays open", what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.reasons, []byte{reason}) {
		t.Errorf("%s: the reasons are %#x, want %#x", what, s.reasons, reason)
	}
}

// TestMQTTTakeover has a device move back and forth between two gateways, without saying goodbye.
func TestMQTTTakeover(t *testing.T) {
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	a := newTenant(t)
	a.device("device", `{"alias":["nickname"],"authentication":{"credentials":[{"pass":"p"}]}}`)
	const moves = 6
	want := []string{"connected"}
	last := sit(t, gateways[0], "device@"+a.name)
	for i := 1; i < moves; i++ {
		next := sit(t, gateways[i%2], "nickname@"+a.name)
		last.expectEnd(t, "taken over", 0x8e)
		want = append(want, "will: gone", "disconnected", "connected")
		last = next
	}
	_ = last.Disconnect(&paho.Disconnect{})
	a.expectStory("takeover", "device", append(want, "disconnected")...)
}

// TestMQTTGatewayIsKilled has the survivor tell of the devices of a gateway that was killed.
func TestMQTTGatewayIsKilled(t *testing.T) {
	survivor, victim := ownMQTT(t), ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("other", password("p"))
	sit(t, victim, "device@"+a.name)
	sit(t, survivor, "other@"+a.name)
	a.awaitStory("device", 1)
	victim.Kill()
	killed := time.Now()
	a.expectStory("a killed gateway", "device", "connected", "will: gone", "disconnected")
	t.Logf("known after %v", time.Since(killed))
	if got := a.story("other"); !slices.Equal(got, []string{"connected"}) {
		t.Errorf("a device of the survivor: %v", got)
	}
}

// TestMQTTGatewayIsStopped has a gateway drain.
func TestMQTTGatewayIsStopped(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	s := sit(t, g, "device@"+a.name)
	if err := g.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.expectEnd(t, "a stopped gateway", 0x8b)
	if err := g.Wait(bounded(t)); err != nil {
		t.Error(err)
	}
	a.expectStory("a stopped gateway", "device", "connected", "will: gone", "disconnected")
}

// TestMQTTRevocation takes back what connected devices were admitted on.
func TestMQTTRevocation(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	f := func(what string, change func()) {
		t.Helper()
		a.specify(`{}`)
		a.device("device", password("p"))
		var s *seat
		neighbour.Eventually(t, "the authentication function to have heard of the device before "+what, func() bool {
			_, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-t", "x", "-m", "x")
			return ok
		})
		s = sit(t, g, "device@"+a.name)
		change()
		s.expectEnd(t, what, 0x98)
	}
	f("device disabled", func() {
		a.device("device", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"p"}]}}`)
	})
	f("password changed", func() { a.device("device", password("q")) })
	f("application disabled", func() { a.specify(`{"core":{"disabled":true}}`) })
	f("device deleted", func() { a.remove("device") })

	a.specify(`{}`)
	a.device("device", password("p"))
	var kept *seat
	neighbour.Eventually(t, "the device to be let in again", func() bool {
		_, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-t", "x", "-m", "x")
		return ok
	})
	kept = sit(t, g, "device@"+a.name)
	a.device("device", `{"authentication":{"credentials":[{"pass":"p"},{"pass":"q"}]}}`)
	if _, err := kept.Publish(bounded(t), &paho.Publish{Topic: "after", QoS: 1}); err != nil {
		t.Errorf("a device whose password still holds: %v", err)
	}
	select {
	case <-kept.gone:
		t.Error("a device whose password still holds was disconnected")
	default:
	}
}

// TestMQTTWaitsForAColdStart has a device connect while the authentication function is not there yet.
func TestMQTTWaitsForAColdStart(t *testing.T) {
	judge, err := here.function(bounded(t), "auth", here.registry()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(judge.Kill)
	g := ownMQTT(t, "FAIRLEAD_AUTH_CLIENT_URL="+judge.URL())
	a := newTenant(t)
	a.device("device", password("p"))
	judge.Kill()
	// Somebody takes the question and does not answer, as the proxy of a pod that is about to start.
	cold, err := net.Listen("tcp", judge.Address())
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		output string
		ok     bool
	}
	published := make(chan result, 1)
	go func() {
		output, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-q", "1", "-t", "x", "-m", "x")
		published <- result{output, ok}
	}()
	question, err := cold.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = question.Close(), cold.Close()
	if err := judge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-published; !r.ok {
		t.Errorf("refused after a cold start: %q", r.output)
	}
}
