package integration

import (
	"net/http"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/eclipse/paho.golang/paho"

	commanding "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/redis"
)

func TestResponseFilters(t *testing.T) {
	f := func(filter string, want packet.Reason, topics ...string) {
		t.Helper()
		var r responses
		if got := r.subscribe(filter, terms{qos: 1}); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
		var found []string
		for _, topic := range []string{"response/", "response/a", "response/a/b", "response/ab", "other"} {
			if _, ok := r.find(topic); ok {
				found = append(found, topic)
			}
		}
		if len(found) != len(topics) {
			t.Errorf("%s matches %q, want %q", filter, found, topics)
		}
		if r.unsubscribe(filter) == want.Refuses() || r.len() != 0 {
			t.Errorf("%s: %d are left", filter, r.len())
		}
	}
	f("response/a", 1, "response/a")
	f("response/a/#", 1, "response/a", "response/a/b")
	f("response/#", 1, "response/", "response/a", "response/a/b", "response/ab")
	f("response/", packet.TopicFilterInvalid)
	f("response/+", packet.WildcardNotSupported)
	f("response/a#", packet.WildcardNotSupported)
	f("response/+/#", packet.WildcardNotSupported)
}

// A lamp is a device in another process, which answers the commands that the function of the test hands to it.
type lamp struct {
	hub      *commanding.Hub
	router   *commanding.Router
	commands chan string // their correlations
}

func newLamp(t *testing.T) *lamp {
	t.Helper()
	server := miniredis.RunT(t)
	l := &lamp{hub: commanding.NewHub(), commands: make(chan string, 10)}
	route := func(hub *commanding.Hub) *commanding.Router {
		c := redis.DefaultConfig()
		c.URL = "redis://" + server.Addr()
		client, err := c.ClientWithoutRetries()
		if err != nil {
			t.Fatal(err)
		}
		r := commanding.NewRouter(client, "test", hub, nil)
		t.Cleanup(func() { r.Close(); _ = client.Close() })
		return r
	}
	route(l.hub)
	l.router = route(commanding.NewHub())
	return l
}

func (l *lamp) answer(correlation, device, payload string) {
	l.hub.Answer(correlation, commanding.Answer{Application: "plant", Device: device, ContentType: "text/plain", Payload: []byte(payload)})
}

// ServeHTTP takes commands as the function does, for a device that is named lamp, and by an alias too.
func (l *lamp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(commanding.HeaderReached, "1")
	if correlation := r.Header.Get(commanding.HeaderCorrelation); correlation != "" {
		w.Header().Set(commanding.HeaderAwaited, "l%61mp")
		l.commands <- correlation
	}
	w.WriteHeader(http.StatusAccepted)
}

func TestAnswersToCommands(t *testing.T) {
	l := newLamp(t)
	w := newWorld(t, func(c *Config) { c.CommandURL = serveHTTP(t, l) }, func(p *Parts) { p.Router = l.router })
	s := w.subscriber("a", "ada", nil)
	id := 7
	if _, err := s.Subscribe(t.Context(), &paho.Subscribe{
		Properties: &paho.SubscribeProperties{SubscriptionIdentifier: &id}, Subscriptions: []paho.SubscribeOptions{{Topic: "response/mine", QoS: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	try := func(topic, response string) byte {
		t.Helper()
		puback, err := s.Publish(t.Context(), &paho.Publish{Topic: topic, QoS: 1, Properties: &paho.PublishProperties{
			ResponseTopic: response, CorrelationData: []byte("\x00own"),
		}})
		if puback == nil {
			t.Fatal(err)
		}
		return puback.ReasonCode
	}
	ask := func(topic, response string, want byte) {
		t.Helper()
		if got := try(topic, response); got != want {
			t.Errorf("%s: PUBACK %#x, want %#x", topic, got, want)
		}
	}
	ask("command/plant/by-alias/get", "response/mine", 0)
	correlation := <-l.commands
	l.answer(correlation, "another", "wrong")
	l.answer(correlation, "lamp", "on")
	got := s.next()
	if got.Topic != "response/mine" || got.QoS != 1 || string(got.Payload) != "on" || string(got.Properties.CorrelationData) != "\x00own" ||
		got.Properties.ContentType != "text/plain" || *got.Properties.SubscriptionIdentifier != id {
		t.Errorf("%+v %+v", got, got.Properties)
	}

	ask("command/plant/lamp/get", "response/other", 0x90)
	ask("command/public/lamp/get", "response/mine", 0x87) // may be read only
	awaited := 0
	for ; try("command/plant/lamp/get", "response/mine") == 0; awaited++ {
		correlation = <-l.commands
	}
	ask("command/plant/lamp/get", "response/mine", 0x97)
	if awaited > maxQuestions || awaited < maxQuestions-2 { // the two before may be ending
		t.Errorf("%d answers are awaited", awaited)
	}
	l.answer(correlation, "lamp", "last")
	if got := s.next(); string(got.Payload) != "last" {
		t.Errorf("%+v", got)
	}
	if _, err := s.Unsubscribe(t.Context(), &paho.Unsubscribe{Topics: []string{"response/mine"}}); err != nil {
		t.Error(err)
	}
	ask("command/plant/lamp/get", "response/mine", 0x90)
}

func TestWithoutAnswers(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CommandURL = serveHTTP(t, &lamp{}) })
	s := w.subscriber("a", "ada", nil)
	if reason := s.subscribe("response/#"); reason > 1 {
		t.Errorf("SUBACK %#x", reason)
	}
	puback, _ := s.Publish(t.Context(), &paho.Publish{
		Topic: "command/plant/lamp/get", QoS: 1, Properties: &paho.PublishProperties{ResponseTopic: "response/mine"},
	})
	if puback == nil || puback.ReasonCode != 0x83 {
		t.Errorf("%+v", puback)
	}
}
