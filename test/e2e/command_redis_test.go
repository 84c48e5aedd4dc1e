//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestCommandsAfterRedisDied restarts Redis while one device listens over MQTT and another waits for a command over HTTP, and while
// requests wait for the answers to their commands, of which one comes while Redis is away: all go on where they were.
func TestCommandsAfterRedisDied(t *testing.T) {
	g := ownMQTT(t)
	c := startCommand(t)
	a := newTenant(t)
	for _, device := range []string{"listener", "asked", "early", "waiting"} {
		a.device(device, password("p"))
	}
	g.awaitSessions(t)
	listening := subscribe(t, g, "listener@"+a.name, "p", "command/inbox/#")
	c.send(a, "listener", "before", "0")
	listening.prints("command/inbox//before 0")
	ask := func(device string) (correlation string, answers <-chan string) {
		asked := a.poll(device)
		answers = c.ask(a, device, "get")
		question := asked.answer()
		if question.status != http.StatusOK {
			t.Fatalf("%s is asked with %+v", device, question)
		}
		return question.header.Get("Command-Correlation"), answers
	}
	respond := func(device, correlation, value string) {
		t.Helper()
		accepted(t, "the answer", post(t, here.telemetry.URL()+"/v1/command/response?correlation="+correlation, device+"@"+a.name+":p", value))
	}
	late, lateAnswers := ask("asked")
	early, earlyAnswers := ask("early")
	waiting := a.poll("waiting")

	restart := kill(t, here.redis.Process)
	unavailable := http.StatusText(http.StatusServiceUnavailable)
	if _, err := c.trySend(bounded(t), a, "listener", "command=away", ""); err == nil || !strings.Contains(err.Error(), unavailable) {
		t.Errorf("without Redis: %v", err)
	}
	respond("early", early, "20")
	restart()

	c.reach(a, "waiting", "http")
	if got := waiting.answer(); got.header.Get("Command") != "again" {
		t.Errorf("the request of a device that waited is answered with %+v", got)
	}
	c.reach(a, "listener", "mqtt")
	listening.prints("command/inbox//again 1")
	respond("asked", late, "21.5")
	for want, answers := range map[string]<-chan string{"200 OK 20": earlyAnswers, "200 OK 21.5": lateAnswers} {
		if got := <-answers; got != want {
			t.Errorf("the request that waited was answered with %q, want %q", got, want)
		}
	}
}

// poll has a device wait for a command. It listens when this returns.
func (a *tenant) poll(device string) waiting {
	a.t.Helper()
	w := startWaiting(a.t, here.telemetry.URL()+"/v1/"+device+"?ct=60", device+"@"+a.name+":p")
	neighbour.Eventually(a.t, "the message of "+device, func() bool {
		_, stored := a.bySubject()[device]
		return stored
	})
	return w
}

// reach sends a command until somebody takes it, which has to be over this protocol.
func (c *commander) reach(a *tenant, device, protocol string) {
	c.t.Helper()
	neighbour.Eventually(c.t, "a command to reach "+device, func() bool {
		result, err := c.trySend(bounded(c.t), a, device, "timeout=1&command=again", "1")
		return err == nil && result.Reached > 0 && result.Targets[0].Protocol == protocol
	})
}

// awaitSessions waits until a gateway takes devices. None is taken for a while after Redis was restarted, as by the test before: until
// the sessions of all processes are known again.
func (g *mqttGateway) awaitSessions(t *testing.T) {
	t.Helper()
	a := newTenant(t)
	a.device("early", password("p"))
	neighbour.Eventually(t, "the gateway to take devices", func() bool {
		_, ok := mosquittoPub(t, g.tcp, "early@"+a.name, "p", "-t", "x", "-m", "x")
		return ok
	})
}
