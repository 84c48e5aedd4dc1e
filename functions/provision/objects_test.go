package provision

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
)

func settings(change func(*Config)) *Settings {
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	return &Settings{Config: c, Brokers: []string{"kafka:9092"}}
}

func application(name, knative string) *registry.Application {
	a := &registry.Application{Metadata: registry.Metadata{Name: name}}
	if knative != "" {
		a.Spec = registry.Sections{registry.SectionKnative: json.RawMessage(knative)}
	}
	return a
}

const endpoint = `{"endpoint":{"url":"https://example.com/in","auth":{"bearer":{"token":"hunter2"}}}}`

func TestObjects(t *testing.T) {
	types := []string{}
	for _, e := range event.Types {
		types = append(types, "EventType app-"+e.Name)
	}
	f := func(knative string, change func(*Config), problem string, want ...string) {
		t.Helper()
		objects, err := Objects(application("app", knative), settings(change))
		var got []string
		for _, o := range objects {
			got = append(got, o.String())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if (problem == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), problem) {
			t.Errorf("%v, want %q", err, problem)
		}
		text, err := json.Marshal(objects)
		if err != nil || strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "example.com/in") {
			t.Errorf("the objects hold a secret or the endpoint: %s", text)
		}
	}
	with := func(names ...string) []string { return append(names, types...) }
	none := func(c *Config) { c.EventTypes = false }
	f("", nil, "", with("KafkaSink app-dead-letters", "Broker app")...)
	f("", none, "", "KafkaSink app-dead-letters", "Broker app")
	f(endpoint, none, "", "KafkaSink app-dead-letters", "Broker app", "Trigger app-push")
	f(`{"disabled":true,`+endpoint[1:], none, "", "KafkaSink app-dead-letters", "Broker app")
	f(endpoint, func(c *Config) { c.EventTypes, c.Command = false, "fairlead-command" }, "",
		"KafkaSink app-dead-letters", "Broker app", "Trigger app-push", "Trigger app-command")
	f(endpoint, func(c *Config) { c.EventTypes, c.Push = false, "" }, "spec.knative: this installation", "KafkaSink app-dead-letters", "Broker app")
	f(`{"endpoint":{"url":"nowhere"}}`, none, "spec.knative.endpoint.url", "KafkaSink app-dead-letters", "Broker app", "Trigger app-push")
	f("", func(c *Config) { c.EventTypes, c.DeadLetters.Sink = false, noSink }, "", "Broker app")
	f("", func(c *Config) { c.EventTypes, c.DeadLetters.Sink = false, "http://dead.example" }, "", "Broker app")
}

func TestBroker(t *testing.T) {
	objects, err := Objects(application("app", endpoint), settings(func(c *Config) { c.Services, c.DeadLetters.Secret = "fairlead", "kafka" }))
	if err != nil {
		t.Fatal(err)
	}
	sink, broker, push := objects[0], objects[1], objects[2]
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(sink.Text("spec", "topic"), "dead-letters-app")
	f(sink.Text("spec", "auth", "secret", "ref", "name"), "kafka")
	f(broker.Annotation("eventing.knative.dev/broker.class"), "Kafka")
	f(broker.Annotation("kafka.eventing.knative.dev/external.topic"), "events-app")
	f(broker.Text("spec", "delivery", "backoffDelay"), "PT0.5S")
	f(broker.Text("spec", "delivery", "timeout"), "PT30S")
	f(broker.Text("spec", "delivery", "deadLetterSink", "ref", "name"), sink.Name())
	f(push.Text("spec", "broker"), "app")
	f(push.Text("metadata", "annotations", "kafka.eventing.knative.dev/delivery.order"), "ordered")
	f(push.Text("spec", "subscriber", "uri"), "/app")
	f(push.Text("spec", "subscriber", "ref", "namespace"), "fairlead")
	if !cmp.Equal(push.Field("spec", "delivery"), broker.Field("spec", "delivery")) {
		t.Error("a Trigger delivers otherwise than its Broker")
	}
	for _, o := range objects {
		f(o.Label(labelApplication), "app")
		f(o.Annotation(annotationApplication), "app")
	}
	other, _ := Objects(application("app", ""), settings(func(c *Config) { c.Broker = BrokerConfig{Class: "MTChannelBasedBroker"} }))
	f(other[1].Annotation("kafka.eventing.knative.dev/external.topic"), "")
	if other[1].Field("spec", "config") != nil {
		t.Error("a Broker has a configuration that nobody asked for")
	}
}

// The Trigger for commands takes these and nothing else, and the Trigger to an endpoint all but these: what one causes is not for the other.
func TestNoLoop(t *testing.T) {
	objects, err := Objects(application("app", endpoint), settings(func(c *Config) { c.Command, c.EventTypes = "fairlead-command-events", false }))
	if err != nil {
		t.Fatal(err)
	}
	push, command := objects[2], objects[3]
	exact := map[string]any{"exact": map[string]any{"type": "io.drogue.command.v1"}}
	if diff := cmp.Diff(any([]any{exact}), command.Field("spec", "filters")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(any([]any{map[string]any{"not": exact}}), push.Field("spec", "filters")); diff != "" {
		t.Error(diff)
	}
	if name, uri := command.Text("spec", "subscriber", "ref", "name"), command.Text("spec", "subscriber", "uri"); name != "fairlead-command-events" || uri != "/app" {
		t.Errorf("commands are delivered to %s at %s", name, uri)
	}
}

// Triggers to functions show tokens for their audience where that is set. The one that feeds a Broker takes the Broker's own.
func TestTokens(t *testing.T) {
	f := func(oidc bool, want map[string]string) {
		t.Helper()
		objects, err := Objects(application("app", endpoint), settings(func(c *Config) {
			c.Broker, c.DeadLetters.Sink = BrokerConfig{Class: "MTChannelBasedBroker", Source: "all"}, noSink
			c.Command, c.EventTypes, c.OIDC = "fairlead-command-events", false, oidc
		}))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, o := range objects {
			if o.Kind() == triggerKind {
				got[o.Name()] = o.Text("spec", "subscriber", "audience")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	f(false, map[string]string{"app-events": "", "app-push": "", "app-command": ""})
	f(true, map[string]string{"app-events": "", "app-push": "fairlead-push", "app-command": "fairlead-command-events"})
}

// Where one Broker takes the events of all devices, an application's Broker gets those of the application.
func TestFeed(t *testing.T) {
	objects, err := Objects(application("app", ""), settings(func(c *Config) {
		c.Broker, c.DeadLetters.Sink = BrokerConfig{Class: "MTChannelBasedBroker", Source: "all"}, noSink
	}))
	if err != nil || objects[1].String() != "Trigger app-events" {
		t.Fatalf("%v, %v", objects, err)
	}
	got, want := objects[1].Field("spec"), any(map[string]any{
		"broker": "all",
		"filters": []any{
			map[string]any{"exact": map[string]any{"application": "app"}},
			map[string]any{"not": map[string]any{"prefix": map[string]any{"type": "io.drogue.registry.change."}}},
		},
		"subscriber": map[string]any{"ref": map[string]any{"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "app"}},
		"delivery":   objects[0].Field("spec", "delivery"),
	})
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 60) + ".bcd"
	if got := baseName(long); len(got) != maxBaseName || !strings.HasPrefix(got, strings.Repeat("a", 30)+"-") || got == baseName(strings.Repeat("a", 60)+".bce") {
		t.Errorf("%q", got)
	}
	if baseName("a.b") != "a.b" {
		t.Error("a short name changed")
	}
	// No object of one application has the name of another one's, whatever their names.
	seen := map[string]string{}
	for _, name := range []string{"a", "a-push", "a-command", "a-dead-letters", "a-push-push", "a-push-dead-letters", "a-io.drogue.event.v1", long} {
		objects, err := Objects(application(name, endpoint), settings(func(c *Config) { c.Command = "fairlead-command" }))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if other, ok := seen[o.String()]; ok {
				t.Errorf("%q and %q both have the %v", other, name, o)
			}
			seen[o.String()] = name
		}
		for _, topic := range []string{event.Topic(name), event.DeadLetterTopic(name)} {
			if other, ok := seen[topic]; ok {
				t.Errorf("%q and %q both have the topic %s", other, name, topic)
			}
			seen[topic] = name
		}
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(validate func() error, want string) {
		t.Helper()
		err := validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := DefaultConfig()
	f(c.Validate, "")
	f(c.Broker.Validate, "")
	f(c.DeadLetters.Validate, "")
	f(c.Delivery.Validate, "")
	f((&DeadLettersConfig{Sink: "topic"}).Validate, "sink: ")
	f((&BrokerConfig{}).Validate, "class: ")
	d := c.Delivery
	d.Policy = "constant"
	f(d.Validate, "policy: ")
	c.Wait = c.Timeout
	f(c.Validate, "wait: ")
}

func TestVerdicts(t *testing.T) {
	away, refused := of(errors.New("away")), verdict{reason: reasonRefused, err: errors.New("no")}
	f := func(v verdict, reason, status string, again bool) {
		t.Helper()
		if c := v.condition("X"); c.Reason != reason || c.Status != status || (v.retry() != nil) != again {
			t.Errorf("%+v, again %t", c, v.again)
		}
	}
	f(verdict{}, "", registry.True, false)
	f(away, reasonUnavailable, registry.Unknown, true)
	f(away.or(refused), reasonRefused, registry.False, true)
	f(refused.or(away), reasonRefused, registry.False, true)
	f(verdict{}.or(refused).or(verdict{}), reasonRefused, registry.False, false)
}
