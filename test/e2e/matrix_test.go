//go:build integration

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	packets5 "github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A matrix is what each consumer has got, by channel.
type matrix struct {
	t  *testing.T
	mu sync.Mutex
	of map[string]map[string]shown
}

// consumer adds one. It reads events from lines.
func (m *matrix) consumer(name string, read func(string) (shown, bool)) (take func(line string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[name] = map[string]shown{}
	return func(line string) {
		if e, ok := read(line); ok {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.of[name][e.Subject] = e
		}
	}
}

// missing are the consumers that have not got an event of a channel.
func (m *matrix) missing(channel string) (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, events := range m.of {
		if _, ok := events[channel]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// await waits until every consumer has an event of a channel. try is called before each look.
func (m *matrix) await(channel string, try func()) {
	m.t.Helper()
	m.t.Cleanup(func() {
		if missing := m.missing(channel); len(missing) > 0 {
			m.t.Logf("the event of %s is missing at %q", channel, missing)
		}
	})
	neighbour.Eventually(m.t, "the event of "+channel+" everywhere", func() bool {
		try()
		return len(m.missing(channel)) == 0
	})
}

// expect waits until every consumer has the event of a channel, and compares all but its ID.
func (m *matrix) expect(want shown) {
	m.t.Helper()
	m.await(want.Subject, func() {})
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := map[string]bool{}
	for name, events := range m.of {
		got := events[want.Subject]
		ids[got.ID] = true
		got.ID = ""
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("%s to %s: %s", want.Subject, name, diff)
		}
	}
	if len(ids) != 1 {
		m.t.Errorf("the event of %s has the ids %q", want.Subject, slices.Collect(maps.Keys(ids)))
	}
}

// A sending is a message that a device sends in some way, with what it becomes.
type sending struct {
	channel, device, schema string
	send                    func(t *testing.T)
}

// matrixBody is what every message holds.
const matrixBody = `{"temperature":21.5}`

// TestEveryProtocolReachesEveryConsumer has devices of every protocol send, in every way to log in, and consumers of every protocol and
// content mode get the same events.
func TestEveryProtocolReachesEveryConsumer(t *testing.T) {
	a, c := newTenant(t), consumer(t, "matrix")
	a.own(c)
	a.device("device", keyed("p", "key"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	a.device("named", `{"authentication":{"credentials":[{"user":{"username":"joe","password":"p"}}]}}`)
	a.device("unique", `{"authentication":{"credentials":[{"user":{"username":"anna","password":"p","unique":true}}]}}`)
	devices := ownMQTT(t)
	m := &matrix{t: t, of: map[string]map[string]shown{}}
	everyConsumer(m, ownIntegration(t), devices, a, c)
	// What was sent before a consumer has subscribed is not for it: one event tells that all have.
	m.await("hello", func() {
		accepted(t, "hello", post(t, here.telemetry.URL()+"/v1/hello", "device@"+a.name+":p", `{}`, mediaType("application/json")...))
	})
	all := slices.Concat(everyLogin(a, startCoAP(t)), everyMQTT(a, devices))
	for _, one := range all {
		one.send(t)
	}
	fromKafka(m, a)
	for _, one := range all {
		m.expect(shown{
			Type: "io.drogue.event.v1", Subject: one.channel, Application: a.name, Device: one.device, Sender: senderOf(one.device),
			Instance: "drogue", Schema: one.schema, ContentType: "application/json", Data: map[string]any{"temperature": 21.5},
		})
	}
}

// senderOf is who sends for a device.
func senderOf(device string) string {
	if device == "sensor" {
		return "device"
	}
	return device
}

// everyLogin has devices send over HTTP and CoAP, in the four ways to log in with a password, over CoAP with a key as well, and for another
// device.
func everyLogin(a *tenant, s *coapSite) (all []sending) {
	for _, login := range []struct{ name, device, user, query string }{
		{"pass", "device", "device@" + a.name, "?data_schema=urn:schema"},
		{"as", "sensor", "device@" + a.name, "?as=sensor"},
		{"device", "named", "joe@" + a.name, "?device=named"},
		{"application", "named", "joe", "?application=" + a.name + "&device=named"},
		{"unique", "unique", "anna@" + a.name, ""},
	} {
		schema := ""
		if login.name == "pass" {
			schema = "urn:schema"
		}
		http, coap := "http-"+login.name, "coap-"+login.name
		all = append(all, sending{http, login.device, schema, func(t *testing.T) {
			url := here.telemetry.URL() + "/v1/" + http + login.query
			accepted(t, http, post(t, url, login.user+":p", matrixBody, mediaType("application/json")...))
		}}, sending{coap, login.device, schema, func(t *testing.T) {
			arguments := append(authorization(login.user, "p"), "-m", "post", "-t", "50", "-e", matrixBody, s.plain("/v1/"+coap+login.query))
			coapClient(t, "notls", arguments...).expect(t, coap, "2.04")
		}})
	}
	return append(all, sending{"coaps", "device", "", func(t *testing.T) {
		coapClient(t, "openssl", "-u", "device@"+a.name, "-k", "key", "-m", "post", "-t", "50", "-e", matrixBody, s.secure("/v1/coaps")).expect(t, "coaps", "2.04")
	}})
}

// everyMQTT has a device send over MQTT in both versions, over TCP and WebSocket, for itself and for another device.
func everyMQTT(a *tenant, g *mqttGateway) (all []sending) {
	user := "device@" + a.name
	for transport, url := range map[string]string{"tcp": "tcp://" + g.tcp, "ws": "ws://" + g.ws + "/mqtt"} {
		for device, level := range map[string]string{"device": "", "sensor": "/sensor"} {
			three, five := "mqtt3-"+transport+"-"+device, "mqtt5-"+transport+"-"+device
			all = append(all, sending{three, device, "", func(t *testing.T) {
				client := connect3(t, url, user, "p")
				if token := client.Publish(three+level, 1, false, matrixBody); !token.WaitTimeout(waitLimit) || token.Error() != nil {
					t.Errorf("%s: %v", three, token.Error())
				}
			}}, sending{five, device, "", func(t *testing.T) {
				client := connect5(t, dial5(t, g, url), user, "p", nil)
				answer, err := client.Publish(bounded(t), &paho.Publish{
					Topic: five + level, QoS: 1, Payload: []byte(matrixBody), Properties: &paho.PublishProperties{ContentType: "application/json"},
				})
				if err != nil || answer.ReasonCode != 0 {
					t.Errorf("%s: %v, %v", five, answer, err)
				}
			}})
		}
	}
	return all
}

// connect3 logs Paho's client for 3.1.1 in, until the test ends.
func connect3(t *testing.T, url, user, secret string) paho3.Client {
	t.Helper()
	client := paho3.NewClient(paho3.NewClientOptions().AddBroker(url).SetClientID("three").SetUsername(user).SetPassword(secret).
		SetProtocolVersion(4).SetConnectRetry(false).SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(waitLimit) || token.Error() != nil {
		t.Fatalf("%s: %v", url, token.Error())
	}
	t.Cleanup(func() { client.Disconnect(0) })
	return client
}

// everyConsumer begins to consume in every way. Each has a group of its own, or none.
func everyConsumer(m *matrix, g *consumerGateway, devices *mqttGateway, a *tenant, c *consuming) {
	topic := "app/" + a.name
	consumeByMosquitto(m, g, topic, c)
	consumeByPaho(m, g, topic, c)
	consumeOverWebSocket(m, g, devices, topic, c)
	url := "://" + g.web + "/" + a.name
	follow(m.t, m.consumer("sse", streamedEvent), "curl", "-sN", "--noproxy", "*", "-u", c.name+":"+c.secret, "http"+url)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.name+":"+c.secret))
	webSocket(m.t, "ws"+url+"?username="+c.name+"&api_key="+c.secret, "", m.consumer("websocket", structuredEvent))
	webSocket(m.t, "ws"+url+"?group_id=w&token="+c.secret, "", m.consumer("websocket, group, token", structuredEvent))
	webSocket(m.t, "ws"+url, basic, m.consumer("websocket, Basic", structuredEvent))
	webSocket(m.t, "ws"+url, "Bearer "+c.secret, m.consumer("websocket, Bearer", structuredEvent))
}

func consumeByMosquitto(m *matrix, g *consumerGateway, topic string, c *consuming) {
	host, port, _ := net.SplitHostPort(g.mqtt)
	run := func(name string, read func(string) (shown, bool), arguments ...string) {
		login := []string{"-h", host, "-p", port, "-u", c.name, "-P", c.secret, "-q", "1"}
		follow(m.t, m.consumer(name, read), "mosquitto_sub", append(login, arguments...)...)
	}
	run("mqtt 3.1.1", structuredEvent, "-t", topic, "-i", "old")
	run("mqtt 5, group", structuredEvent, "-V", "5", "-t", "$share/g/"+topic)
	run("mqtt 5, binary", binaryEvent, "-V", "5", "-t", topic+"/+/+", "-F", "%J", "-D", "subscribe", "user-property", "content-mode", "binary")
}

// consumeByPaho has Paho for Python consume, alone and in a group.
func consumeByPaho(m *matrix, g *consumerGateway, topic string, c *consuming) {
	host, port, _ := net.SplitHostPort(g.mqtt)
	setting := mqttLibraries(m.t)[0].setting
	for version, number := range map[string]string{"3.1.1": "4", "5": "5"} {
		for kind, filter := range map[string]string{"alone": topic, "group": "$share/python" + number + "/" + topic} {
			name := "Paho, " + version + ", " + kind
			follow(m.t, m.consumer(name, structuredEvent), "env", setting, "python3", "testdata/consume.py",
				host, port, number, "python"+number+"-"+kind, c.name, c.secret, filter)
		}
	}
}

// consumeOverWebSocket has Paho for Go consume by MQTT over WebSocket.
func consumeOverWebSocket(m *matrix, g *consumerGateway, devices *mqttGateway, topic string, c *consuming) {
	url := "ws://" + g.mqttWeb + "/mqtt"
	take := m.consumer("mqtt 3.1.1 over websocket", structuredEvent)
	token := connect3(m.t, url, c.name, c.secret).Subscribe(topic, 1, func(_ paho3.Client, p paho3.Message) { take(string(p.Payload())) })
	if !token.WaitTimeout(waitLimit) || token.Error() != nil {
		m.t.Fatal(token.Error())
	}
	take5 := m.consumer("mqtt 5 over websocket", structuredEvent)
	client := connect5(m.t, dial5(m.t, devices, url), c.name, c.secret, func(config *paho.ClientConfig, _ *paho.Connect) {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			take5(string(p.Packet.Payload))
			return true, nil
		}}
	})
	suback, err := client.Subscribe(bounded(m.t), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}}})
	if err != nil || suback.Reasons[0] != packets5.SubackGrantedQoS1 {
		m.t.Fatalf("%+v, %v", suback, err)
	}
}

// streamedEvent reads a line of Server-Sent Events.
func streamedEvent(line string) (shown, bool) {
	data, ok := strings.CutPrefix(line, "data: ")
	if !ok {
		return shown{}, false
	}
	return structuredEvent(data)
}

// fromKafka reads the topic itself, with kcat.
func fromKafka(m *matrix, a *tenant) {
	events := map[string]shown{}
	for _, r := range a.records() {
		h := r.headers
		e := shown{
			ID: h["ce_id"], Type: h["ce_type"], Subject: h["ce_subject"], Application: h["ce_application"], Device: h["ce_device"], Sender: h["ce_sender"],
			Instance: h["ce_instance"], Schema: h["ce_dataschema"], ContentType: h["content-type"],
		}
		if err := json.Unmarshal([]byte(r.payload), &e.Data); err != nil {
			m.t.Errorf("%s: %v", e.Subject, err)
		}
		events[e.Subject] = e
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of["kafka"] = events
}
