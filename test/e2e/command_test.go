//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/functions/command"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/triggers"
)

// A commander is the function command, and somebody with an access token.
type commander struct {
	*functionbin.Function
	*office
}

func startCommand(t *testing.T, settings ...string) *commander {
	t.Helper()
	f, err := here.function(bounded(t), "command", append(here.registry(), settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	return &commander{f, officeOf(t, here.store)}
}

// send sends a command that waits for a listener, and tells what became of it.
func (c *commander) send(a *tenant, device, name, payload string) (result command.Result) {
	c.t.Helper()
	result, err := c.trySend(bounded(c.t), a, device, "timeout=60&command="+name, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

// trySend sends a command once, with this query.
func (c *commander) trySend(ctx context.Context, a *tenant, device, query, payload string) (result command.Result, err error) {
	path := "/api/command/v1alpha1/apps/" + a.name + "/devices/" + device + "?" + query
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL()+path, strings.NewReader(payload))
	if err != nil {
		return result, err
	}
	r.SetBasicAuth("alice", c.secret)
	r.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return result, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return result, err
	}
	if response.StatusCode != http.StatusAccepted || json.Unmarshal(text, &result) != nil {
		return result, fmt.Errorf("%s: %s %s", path, response.Status, text)
	}
	return result, nil
}

// A subscriber is mosquitto_sub in a device's name. It is started again where the gateway had no answer about its log-in in time, as devices
// connect again; mosquitto_sub itself does not.
type subscriber struct {
	t         *testing.T
	arguments []string
	stop      context.CancelFunc
	ended     chan struct{}
	mu        sync.Mutex
	output    bytes.Buffer
}

// Write collects what mosquitto_sub prints.
func (s *subscriber) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.Write(b)
}

func subscribe(t *testing.T, g *mqttGateway, user, secret, filter string) *subscriber {
	t.Helper()
	host, port, err := net.SplitHostPort(g.tcp)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(bounded(t))
	s := &subscriber{
		t: t, arguments: []string{"-h", host, "-p", port, "-u", user, "-P", secret, "-v", "-t", filter}, stop: stop, ended: make(chan struct{}),
	}
	go s.run(ctx)
	t.Cleanup(s.end)
	return s
}

func (s *subscriber) run(ctx context.Context) {
	defer close(s.ended)
	for ctx.Err() == nil {
		command := exec.CommandContext(ctx, "mosquitto_sub", s.arguments...)
		command.Stdout, command.Stderr = s, s
		if _ = command.Run(); !strings.HasSuffix(s.printed(), "broker unavailable.\n") {
			return
		}
	}
}

func (s *subscriber) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

func (s *subscriber) end() {
	s.stop()
	<-s.ended
	if s.t.Failed() {
		s.t.Logf("mosquitto_sub %v\n%s", s.arguments, s.printed())
	}
}

// prints waits until the last line is this one.
func (s *subscriber) prints(line string) {
	s.t.Helper()
	neighbour.Eventually(s.t, line, func() bool {
		return strings.HasSuffix("\n"+s.printed(), "\n"+line+"\n")
	})
}

// TestCommandsOverMQTT sends commands to devices at two gateways: one that is connected itself, one behind a gateway device, and one that
// moves from one to the other.
func TestCommandsOverMQTT(t *testing.T) {
	first, second := ownMQTT(t), ownMQTT(t)
	c := startCommand(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("gateway", password("p"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["gateway"]}}`)

	own := subscribe(t, first, "device@"+a.name, "p", "command/inbox/#")
	proxied := subscribe(t, second, "gateway@"+a.name, "p", "command/inbox/#")
	if got := c.send(a, "device", "on", "1"); got.Reached != 1 || got.Targets[0].Protocol != "mqtt" {
		t.Errorf("%+v", got)
	}
	own.prints("command/inbox//on 1")
	if got := c.send(a, "sensor", "set/point", "21"); got.Reached != 1 || got.Targets[0].Device != "gateway" || got.Targets[1].Outcome != command.Unheard {
		t.Errorf("%+v", got)
	}
	proxied.prints("command/inbox/sensor/set/point 21")

	own.end()
	moved := subscribe(t, second, "device@"+a.name, "p", "command/inbox//#")
	// The first may still go to the connection that was killed just now.
	neighbour.Eventually(t, "a command to arrive elsewhere", func() bool {
		c.send(a, "device", "here", "2")
		moved.mu.Lock()
		defer moved.mu.Unlock()
		return strings.Contains(moved.output.String(), "command/inbox//here 2\n")
	})
}

// TestCommandFromATrigger has a subscriber answer the message of a device with a command, which goes through Kafka and a second Trigger.
func TestCommandFromATrigger(t *testing.T) {
	g := ownMQTT(t)
	f := startCommand(t, "FAIRLEAD_COMMAND_OPEN_EVENTS=true")
	a, other := newTenant(t), newTenant(t)
	a.device("device", password("p"))
	a.device("sender", password("p"))
	other.device("device", password("p"))

	replier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		application := a.name
		if r.Header.Get("ce-subject") == "cheat" {
			application = other.name
		}
		for name, value := range map[string]string{
			"ce-specversion": "1.0", "ce-id": r.Header.Get("ce-id") + "-reply", "ce-source": "test", "ce-type": event.TypeCommand,
			"ce-application": application, "ce-device": "device", "ce-subject": r.Header.Get("ce-subject"), "content-type": "text/plain",
		} {
			w.Header().Set(name, value)
		}
		_, _ = w.Write([]byte("answer"))
	}))
	t.Cleanup(replier.Close)
	dead := newInbox(t, "", "")
	d := replyingTriggers(t, a, replier.URL, f.URL()+"/"+a.name, dead.url())

	here, there := subscribe(t, g, "device@"+a.name, "p", "command/inbox/#"), subscribe(t, g, "device@"+other.name, "p", "command/inbox/#")
	f.send(a, "device", "ready", "0")
	f.send(other, "device", "ready", "0")
	publish := func(channel string) {
		t.Helper()
		if output, ok := mosquittoPub(t, g.tcp, "sender@"+a.name, "p", "-q", "1", "-t", channel, "-m", "x"); !ok {
			t.Fatal(output)
		}
	}
	publish("switch")
	here.prints("command/inbox//switch answer")
	// A subscriber does not reach the devices of another application, and the answer is given up at once.
	publish("cheat")
	dead.with("cheat")
	publish("again")
	here.prints("command/inbox//again answer")
	there.prints("command/inbox//ready 0")
	// No loop: of each message came one command, and of a command nothing.
	neighbour.Eventually(t, "two delivered commands", func() bool { return statusOf(d, "default/command").Delivered == 2 })
	if commands, replies := statusOf(d, "default/command"), statusOf(d, "default/reply"); commands.Replies > 0 || replies.Delivered != 3 || replies.Loops > 0 {
		t.Errorf("%+v, %+v", commands, replies)
	}
}

func statusOf(d *dispatch.Dispatcher, subscription string) (of dispatch.Status) {
	for _, s := range d.Status() {
		if s.Subscription == subscription {
			of = s
		}
	}
	return of
}

// replyingTriggers serves one Trigger to a subscriber that answers, and one that takes its commands to the function.
func replyingTriggers(t *testing.T, a *tenant, replier, function, deadLetter string) *dispatch.Dispatcher {
	t.Helper()
	c := kafka.DefaultConfig()
	c.Brokers = here.kafka.Brokers()
	d, err := dispatch.New(dispatch.Options{Kafka: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close(bounded(t)) })
	policy := triggers.Policy{Retries: 5, BackoffPolicy: triggers.BackoffExponential, BackoffDelay: 100 * time.Millisecond, Timeout: 30 * time.Second}
	err = d.Apply([]dispatch.Subscription{
		{Name: "default/reply", Group: "reply-" + a.name, Topic: a.topic, Application: a.name, Filter: onlyType(event.TypeMessage), Subscriber: replier, Policy: policy},
		{
			Name: "default/command", Group: "command-" + a.name, Topic: a.topic, Application: a.name, Filter: onlyType(event.TypeCommand),
			Subscriber: function, DeadLetter: deadLetter, Policy: policy,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Settled(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return d
}

// onlyType lets one type of events through.
type onlyType string

// Select never fails.
func (o onlyType) Select(e *triggers.Event) (bool, error) { return e.Type() == string(o), nil }
