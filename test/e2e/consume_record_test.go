//go:build integration

package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/neighbour"
)

// produce writes records into the topic of an application, as somebody does who needs no device.
func (a *tenant) produce(records ...*kgo.Record) {
	a.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.broker), kgo.DefaultProduceTopic(a.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		a.t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(bounded(a.t), records...).FirstErr(); err != nil {
		a.t.Fatal(err)
	}
}

// eventRecord is an event as a record.
func eventRecord(id string, partition int32) *kgo.Record {
	r := &kgo.Record{Partition: partition, Value: []byte("{}")}
	for _, h := range [][2]string{{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_type", "t"}, {"ce_source", "/s"}, {"content-type", "application/json"}} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// A record that is no event ends no session, whatever the protocol: it is counted, and logged with its place.
func TestPoisonEndsNoSession(t *testing.T) {
	a, c, metrics := newTenant(t), consumer(t, "poisoned"), metricsAddress(t)
	a.own(c)
	g := ownIntegration(t, "FAIRLEAD_PROCESS_METRICS_PROTOCOL=prometheus", "FAIRLEAD_PROCESS_METRICS_ENDPOINT="+metrics)
	var mu sync.Mutex
	got := map[string][]string{}
	take := func(consumer string) func(string) {
		return func(text string) {
			if e, ok := structuredEvent(strings.TrimPrefix(text, "data: ")); ok {
				mu.Lock()
				defer mu.Unlock()
				got[consumer] = append(got[consumer], e.ID)
			}
		}
	}
	link, err := net.Dial("tcp", g.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	byMQTT := take("mqtt")
	client := connect5(t, link, c.name, c.secret, func(config *paho.ClientConfig, _ *paho.Connect) {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			byMQTT(string(p.Packet.Payload))
			return true, nil
		}}
	})
	suback, err := client.Subscribe(bounded(t), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "app/" + a.name, QoS: 1}}})
	if err != nil || suback.Reasons[0] != packets.SubackGrantedQoS1 {
		t.Fatalf("%+v, %v", suback, err)
	}
	url := "://" + g.web + "/" + a.name + "?token=" + c.secret + "&from=earliest"
	webSocket(t, "ws"+url, "", take("websocket"))
	webSocket(t, "ws"+url+"&group_id=g", "", take("websocket, group"))
	follow(t, take("sse"), "curl", "-sN", "--noproxy", "*", "http"+url)
	lost := eventRecord("", 0)
	a.produce(eventRecord("before", 0), &kgo.Record{Value: []byte("poison")}, lost, eventRecord("after", 0))
	want := []string{"before", "after"}
	neighbour.Eventually(t, "the events around the poison at every consumer", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, consumer := range []string{"mqtt", "websocket", "websocket, group", "sse"} {
			if !cmp.Equal(got[consumer], want) {
				return false
			}
		}
		return true
	})
	neighbour.Eventually(t, "two records skipped by each of four consumers to be counted", func() bool {
		return curl(t, nil, "http://"+metrics+"/metrics").metric("fairlead_feed_skipped_total") == "8"
	})
	log, err := os.ReadFile(g.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), fmt.Sprintf(`"topic":"%s","partition":0,"offset":1`, a.topic)) {
		t.Errorf("the record is not logged:\n%s", log)
	}
}

// A sharer is a member of a group over MQTT.
type sharer struct {
	*mqttclient.Client
	t      *testing.T
	filter string
}

// share joins a group.
func (c *consuming) share(t *testing.T, g *consumerGateway, id, filter string) *sharer {
	t.Helper()
	client, err := mqttclient.Dial(bounded(t), mqttclient.TCP(g.mqtt), id, c.name, c.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SubscribeTo(filter, 1); err != nil {
		t.Fatal(err)
	}
	return &sharer{client, t, filter}
}

// next waits for an event. Whoever does not acknowledge it may get it again.
func (s *sharer) next(acknowledge bool) (id string) {
	s.t.Helper()
	deadline, _ := bounded(s.t).Deadline()
	if err := s.SetReadDeadline(deadline); err != nil {
		s.t.Fatal(err)
	}
	for {
		kind, body, err := s.ReadPacket()
		if err != nil {
			s.t.Fatal(err)
		}
		if kind != mqttclient.Publish {
			continue
		}
		const length = 2 // of the topic's length, and of a packet identifier
		topic := int(binary.BigEndian.Uint16(body))
		packet, payload := body[length+topic:][:length], body[length+topic+length:]
		if acknowledge {
			if _, err := s.Write(append([]byte{mqttclient.Puback, length}, packet...)); err != nil {
				s.t.Fatal(err)
			}
		}
		e, ok := structuredEvent(string(payload))
		if !ok {
			s.t.Fatalf("%s is no event", payload)
		}
		return e.ID
	}
}

// take waits for so many events.
func (s *sharer) take(n int, acknowledge bool) (ids []string) {
	s.t.Helper()
	for range n {
		ids = append(ids, s.next(acknowledge))
	}
	return ids
}

// settle returns when the gateway has taken what was acknowledged: it answers a client's packets in their order.
func (s *sharer) settle() {
	s.t.Helper()
	if err := s.SubscribeTo(s.filter, 1); err != nil {
		s.t.Fatal(err)
	}
}

// A group moves from one process to another, first a part of it and then the rest: only what was not acknowledged comes again, and all
// of that.
func TestPartitionsMoveBetweenProcesses(t *testing.T) {
	a, c := newTenant(t), consumer(t, "moving")
	a.own(c)
	filter := "$share/g/app/" + a.name
	const each = 20
	records := func(name string) (all []*kgo.Record, ids []string) {
		for i := range each {
			for partition := range int32(3) {
				ids = append(ids, fmt.Sprintf("%s-%d-%d", name, partition, i))
				all = append(all, eventRecord(ids[len(ids)-1], partition))
			}
		}
		return all, ids
	}
	same := func(what string, got, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	first := c.share(t, ownIntegration(t), "first", filter)
	before, kept := records("kept")
	a.produce(before...)
	same("the first member", first.take(len(kept), true), kept)
	first.settle()
	after, open := records("open")
	a.produce(after...)
	same("the first member, which acknowledges nothing more", first.take(len(open), false), open)
	second := c.share(t, ownIntegration(t), "second", filter)
	moved := second.take(each, true) // a partition at least
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	same("the second member", append(moved, second.take(len(open)-each, true)...), open)
	last, ids := records("last")
	a.produce(last...)
	same("the second member alone", second.take(len(ids), true), ids)
}
