//go:build integration

package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	packets3 "github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/fairlead/fairlead/functions/command"
)

// A stream sends numbered commands to a device, one after the other, until it is stopped.
type stream struct {
	t        *testing.T
	receipts map[string]command.Outcome // by payload
	problem  error
	end      context.CancelFunc
	sending  sync.WaitGroup
}

func (c *commander) stream(a *tenant, device string) *stream {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	s := &stream{t: c.t, receipts: map[string]command.Outcome{}, end: cancel}
	c.t.Cleanup(s.sending.Wait)
	c.t.Cleanup(cancel)
	s.sending.Go(func() {
		for n := 0; ctx.Err() == nil && s.problem == nil; n++ {
			payload := strconv.Itoa(n)
			var result command.Result
			// A command that is under way is not broken off: its receipt counts.
			result, s.problem = c.trySend(context.WithoutCancel(ctx), a, device, "command=n", payload)
			if s.problem == nil {
				s.receipts[payload] = result.Targets[0].Outcome
			}
		}
	})
	return s
}

// compare ends the stream, and holds its receipts against what the device has got: exactly what was reached, once each.
func (s *stream) compare(got []string) {
	s.t.Helper()
	s.end()
	s.sending.Wait()
	if s.problem != nil {
		s.t.Fatal(s.problem)
	}
	times := map[string]int{}
	for _, payload := range got {
		times[payload]++
	}
	outcomes := map[command.Outcome]int{}
	for payload, outcome := range s.receipts {
		outcomes[outcome]++
		switch n := times[payload]; {
		case outcome == command.Silent && n <= 1: // nobody knows
		case (outcome == command.Reached) != (n == 1) || n > 1:
			s.t.Errorf("command %s was %s, and came %d times", payload, outcome, n)
		}
	}
	s.t.Logf("%d commands: %v", len(s.receipts), outcomes)
}

// stay connects a device in version 3.1.1, takes so many commands, unsubscribes, and leaves with everything that came until the connection
// was closed.
func stay(t *testing.T, address, user string, enough int) (got []string) {
	t.Helper()
	link, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	if answer, err := (greeting{user: user, password: "p", id: "mover"}).say311(link); err != nil || answer.code != 0 {
		t.Fatalf("CONNECT: %+v, %v", answer, err)
	}
	write := func(p packets3.ControlPacket) {
		t.Helper()
		if err := p.Write(link); err != nil {
			t.Fatal(err)
		}
	}
	subscribe := packets3.NewControlPacket(packets3.Subscribe).(*packets3.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{"command/inbox/#"}, []byte{0}
	write(subscribe)
	for {
		p, err := packets3.ReadPacket(link)
		switch {
		case errors.Is(err, io.EOF):
			return got
		case err != nil:
			t.Fatal(err)
		}
		switch p := p.(type) {
		case *packets3.PublishPacket:
			got = append(got, string(p.Payload))
			if len(got) == enough {
				unsubscribe := packets3.NewControlPacket(packets3.Unsubscribe).(*packets3.UnsubscribePacket)
				unsubscribe.MessageID, unsubscribe.Topics = 2, subscribe.Topics
				write(unsubscribe)
			}
		case *packets3.UnsubackPacket:
			write(packets3.NewControlPacket(packets3.Disconnect))
		}
	}
}

// moves is how often a device goes to the other process while commands are sent to it.
const moves = 20

// TestCommandsToADeviceThatMovesOverMQTT has a device go from one gateway to another and back while commands are sent to it.
func TestCommandsToADeviceThatMovesOverMQTT(t *testing.T) {
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	c := startCommand(t)
	a := newTenant(t)
	a.device("device", password("p"))
	s := c.stream(a, "device")
	var got []string
	for i := range moves {
		got = append(got, stay(t, gateways[i%2].tcp, "device@"+a.name, 5)...)
	}
	s.compare(got)
}

// TestCommandsToADeviceThatMovesOverHTTP has a device wait for commands at one process and at another in turn.
func TestCommandsToADeviceThatMovesOverHTTP(t *testing.T) {
	urls := []string{here.telemetry.URL(), here.remote.URL()}
	c := startCommand(t)
	a := newTenant(t)
	a.device("device", password("p"))
	s := c.stream(a, "device")
	var got []string
	for i := range moves {
		answer := startWaiting(t, urls[i%2]+"/v1/x?ct=60", "device@"+a.name+":p").answer()
		if answer.status != http.StatusOK {
			t.Fatalf("the device got %+v", answer)
		}
		got = append(got, answer.body)
	}
	s.compare(got)
}
