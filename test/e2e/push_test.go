//go:build integration

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/triggers"
)

// startPush starts the function push, which may reach endpoints at 127.0.0.1 and nowhere else on this machine.
func startPush(t *testing.T, settings ...string) *functionbin.Function {
	t.Helper()
	f, err := here.function(bounded(t), "push", append(append(here.registry(), "FAIRLEAD_OUTBOUND_ALLOW=127.0.0.1"), settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	return f
}

// endpoint names an endpoint for the events of an application.
func (a *tenant) endpoint(url string) {
	a.t.Helper()
	a.specify(fmt.Sprintf(`{"knative":{"endpoint":{"url":%q,"timeout":"2s","auth":{"basic":{"username":"push","password":"hunter2"}}}}}`, url))
}

// pushTrigger serves the Trigger of an application whose subscriber is the function push.
func pushTrigger(t *testing.T, a *tenant, f *functionbin.Function, deadLetters *inbox, retries int) {
	t.Helper()
	c := kafka.DefaultConfig()
	c.Brokers = here.kafka.Brokers()
	d, err := dispatch.New(dispatch.Options{Kafka: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close(bounded(t)) })
	err = d.Apply([]dispatch.Subscription{{
		Name: "default/push-" + a.name, Group: "push-" + a.name, Topic: a.topic, Application: a.name,
		Subscriber: f.URL() + "/" + a.name, DeadLetter: deadLetters.url(),
		Policy: triggers.Policy{Retries: retries, BackoffPolicy: triggers.BackoffExponential, BackoffDelay: 100 * time.Millisecond, Timeout: 30 * time.Second, Ordered: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Settled(bounded(t)); err != nil {
		t.Fatal(err)
	}
}

// TestPushToAnEndpoint takes events from a device by Kafka and a Trigger to an endpoint with a password, and those that it does not take
// to the dead letter sink.
func TestPushToAnEndpoint(t *testing.T) {
	a := newTenant(t)
	to, dead := newInbox(t, "push", "hunter2"), newInbox(t, "", "")
	a.endpoint(to.url())
	a.device("dev", password("p"))
	push := startPush(t, "FAIRLEAD_OUTBOUND_FAILURES=100")
	pushTrigger(t, a, push, dead, 2)
	say := func(channel string) {
		t.Helper()
		accepted(t, channel, post(t, here.telemetry.URL()+"/v1/"+channel, "dev@"+a.name+":p", `{"n":1}`, mediaType(jsonContent)...))
	}
	expectDead := func(channel, code string) {
		t.Helper()
		if got := dead.with(channel).Extensions()["knativeerrorcode"]; got != code {
			t.Errorf("%s: the dead letter tells %v, want %s", channel, got, code)
		}
	}
	say("first")
	if e := to.with("first"); e.Extensions()["device"] != "dev" || string(e.Data()) != `{"n":1}` {
		t.Errorf("%s", e)
	}
	to.answer(http.StatusBadRequest)
	say("refused")
	expectDead("refused", "400")
	to.answer(http.StatusInternalServerError)
	say("failing")
	expectDead("failing", "500")
	to.kill()
	say("away")
	expectDead("away", "502")
	to.start()
	to.answer(0)
	a.endpoint("http://127.0.0.2:1/in")
	say("elsewhere")
	expectDead("elsewhere", "403")
	a.endpoint("ftp://a.example")
	say("unusable")
	expectDead("unusable", "422")
	a.endpoint(to.url())
	say("last")
	to.with("last")
	to.mu.Lock()
	defer to.mu.Unlock()
	if len(to.events) != 2 || len(to.problems) > 0 {
		t.Errorf("%d events, problems %v", len(to.events), to.problems)
	}
}

// TestPushUnderLoad kills the function and the endpoint while numbered messages are on their way: each that was acknowledged arrives, in
// order for each device.
func TestPushUnderLoad(t *testing.T) {
	a := newTenant(t)
	to, dead := newInbox(t, "push", "hunter2"), newInbox(t, "", "")
	a.endpoint(to.url())
	push := startPush(t, "FAIRLEAD_OUTBOUND_PAUSE=200ms")
	pushTrigger(t, a, push, dead, 12)
	l := startLoadOf(t, a, here.telemetry)
	l.more(200)
	push.Kill()
	l.more(100)
	if err := push.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	l.more(100)
	to.kill()
	l.more(100)
	to.start()
	l.more(100)
	to.verify(l)
	if stored, _ := dead.stored(); len(stored) > 0 {
		t.Errorf("%d dead letters", len(stored))
	}
}
