package opcua

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Extensions of events.
const (
	ExtensionNode   = "opcuanodeid" // node that the value is of, or the source of the event: nsu=URI;s=NAME
	ExtensionStatus = "opcuastatus" // quality of the value; with several values in an event, the worst
)

// ChannelLoss is the channel of the event that tells a device's readers that messages of its server are missing.
const ChannelLoss = "opcua/loss"

// A delivery is one notification on its way to Kafka.
type delivery struct {
	upstream     *upstream
	notification *opcua.Notification
	left         atomic.Int64 // messages that are not decided, and one more while they are being made
	stored       atomic.Int64
}

// Notified publishes what a notification brings.
func (u *upstream) Notified(n *opcua.Notification) {
	d := &delivery{upstream: u, notification: n}
	messages := d.values()
	messages = append(messages, d.events()...)
	d.left.Store(int64(len(messages)) + 1)
	for _, m := range messages {
		if !u.gateway.forwarder.Forward(m) {
			m.Left()
		}
	}
	d.decided()
}

// decided settles the notification when nothing of it is undecided.
func (d *delivery) decided() {
	if d.left.Add(-1) == 0 {
		d.upstream.gateway.metrics.stored(d.stored.Load())
		d.notification.Settle()
	}
}

// A group is what becomes one message: one value, or values of a channel.
type group struct {
	channel *mapping.ChannelPlan
	first   int // index in the notification
	values  []*opcua.Value
	keys    []*mapping.ValuePlan
}

// values makes messages of the values. Of a channel whose nodes are together, the first values of all nodes become one message,
// the second ones another, and so on.
func (d *delivery) values() []*forward.Message {
	d.upstream.mu.Lock()
	properties, good := d.upstream.properties, d.upstream.good
	d.upstream.mu.Unlock()
	all := groups(d.notification.Values)
	messages := make([]*forward.Message, 0, len(all)+len(d.notification.Events))
	for i := range all {
		g := &all[i]
		const usual = 192 // bytes of a number with its times
		var body []byte
		if g.channel.Together {
			body = appendGroup(make([]byte, 0, len(g.values)*usual), g, properties)
		} else {
			body = appendValue(make([]byte, 0, usual), &g.values[0].DataValue, properties.of(g.keys[0]))
		}
		m := d.message(g.channel.Device.Name, g.channel.Name, g.first, body)
		m.Time = g.time()
		if m.Extensions = g.usual(good); m.Extensions == nil {
			m.Extensions = g.extensions()
		}
		messages = append(messages, m)
	}
	return messages
}

// groups makes groups of values, in their order.
func groups(values []opcua.Value) []group {
	type turn struct {
		channel *mapping.ChannelPlan
		n       int // of a node's values
	}
	open := map[turn]int{} // places in the list
	seen := map[*mapping.ValuePlan]int{}
	list := make([]group, 0, len(values))
	pointers, keys := make([]*opcua.Value, 0, len(values)), make([]*mapping.ValuePlan, 0, len(values)) // of groups of one value
	for i := range values {
		key, ok := values[i].Key.(*mapping.ValuePlan)
		if !ok {
			continue
		}
		if !key.Channel.Together {
			n := len(pointers)
			pointers, keys = append(pointers, &values[i]), append(keys, key)
			list = append(list, group{key.Channel, i, pointers[n : n+1 : n+1], keys[n : n+1 : n+1]})
			continue
		}
		t := turn{key.Channel, seen[key]}
		seen[key]++
		at, known := open[t]
		if !known {
			at = len(list)
			open[t] = at
			list = append(list, group{channel: key.Channel, first: i})
		}
		list[at].values, list[at].keys = append(list[at].values, &values[i]), append(list[at].keys, key)
	}
	return list
}

// appendGroup appends an object with the values by the names of their nodes.
func appendGroup(dst []byte, g *group, properties properties) []byte {
	dst = append(dst, '{')
	for i, v := range g.values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(opcua.AppendText(dst, g.keys[i].Node), ':')
		dst = appendValue(dst, &v.DataValue, properties.of(g.keys[i]))
	}
	return append(dst, '}')
}

// time is when the source said the newest of the values; the server's time if it does not say.
func (g *group) time() (t time.Time) {
	for _, v := range g.values {
		at := v.SourceTime
		if at.IsZero() {
			at = v.ServerTime
		}
		if at.After(t) {
			t = at
		}
	}
	return t
}

func (g *group) extensions() map[string]string {
	worst := g.values[0].Status
	for _, v := range g.values[1:] {
		worst = max(worst, v.Status)
	}
	x := map[string]string{ExtensionStatus: worst.String()}
	if !g.channel.Together {
		addNode(x, g.values[0].Node)
	}
	return x
}

// usual are the extensions of one good value, which are the same each time and made only once; nil for anything else.
func (g *group) usual(good map[*mapping.ValuePlan]map[string]string) map[string]string {
	if g.channel.Together || g.values[0].Status != 0 {
		return nil
	}
	return good[g.keys[0]]
}

// goodExtensions are the extensions of good values.
func goodExtensions(items []opcua.Item) map[*mapping.ValuePlan]map[string]string {
	all := map[*mapping.ValuePlan]map[string]string{}
	for i := range items {
		if key, ok := items[i].Key.(*mapping.ValuePlan); ok && !key.Channel.Together {
			x := map[string]string{ExtensionStatus: opcua.Status(0).String()}
			addNode(x, items[i].Node)
			all[key] = x
		}
	}
	return all
}

// addNode adds the id of a node, unless no attribute can hold it.
func addNode(x map[string]string, node opcua.NodeRef) {
	if text := node.String(); event.ValidateExtension(ExtensionNode, text) == nil {
		x[ExtensionNode] = text
	}
}

// events makes messages of the events, one for each device that they are of.
func (d *delivery) events() (messages []*forward.Message) {
	offset := len(d.notification.Values)
	for i := range d.notification.Events {
		e := &d.notification.Events[i]
		plan, ok := e.Key.(*mapping.EventPlan)
		if !ok {
			continue
		}
		source, at := sourceOf(plan.Fields, e.Fields)
		body := appendEvent(nil, plan.Fields, e.Fields)
		for n := range plan.Targets {
			t := &plan.Targets[n]
			if !t.Takes(source) {
				continue
			}
			m := d.message(t.Device.Name, t.Channel, offset+i, body)
			m.ID = targetID(m.ID, n)
			m.Time = at
			m.Extensions = map[string]string{}
			addNode(m.Extensions, source)
			messages = append(messages, m)
		}
	}
	return messages
}

// targetID is the id of what an event becomes for one of several devices.
func targetID(id string, n int) string {
	if n == 0 {
		return id
	}
	base, err := uuid.Parse(id)
	if err != nil {
		return id
	}
	return uuid.NewSHA1(base, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

// sourceOf is which node an event is of, and when it happened.
func sourceOf(fields []mapping.EventField, values []opcua.Variant) (source opcua.NodeRef, at time.Time) {
	for i, f := range fields {
		if i >= len(values) {
			break
		}
		switch f.Name {
		case mapping.FieldSourceNode:
			source, _ = values[i].Node()
		case mapping.FieldTime:
			at, _ = values[i].Time()
		}
	}
	return source, at
}

// message makes the message of something in the notification.
func (d *delivery) message(device, channel string, index int, body []byte) *forward.Message {
	u := d.upstream
	m := u.message(device, channel, body)
	m.ID = d.notification.ID(index)
	m.Settled = func(r outcome.Result) {
		if r.Outcome == outcome.Accepted {
			d.stored.Add(1) // and counted with the others
		} else {
			u.decide(m, r)
		}
		d.decided()
	}
	m.Left = func() {}
	return m
}

// message makes a message of a device, without id, time, and what is called at its end.
func (u *upstream) message(device, channel string, body []byte) *forward.Message {
	if device == u.gateway.config.Gateway.Device {
		device = ""
	}
	return &forward.Message{
		Device:  device,
		Message: ingest.Message{Channel: channel, ContentType: event.JSON, Body: body, Protocol: refusal.OPCUA},
	}
}

// decide counts a message, and reports one that is refused for good, since nobody else is told.
func (u *upstream) decide(m *forward.Message, r outcome.Result) {
	u.gateway.metrics.decided(r.Outcome)
	if r.Outcome.Good() {
		return
	}
	c := &u.gateway.config.Gateway
	u.gateway.refusals.Report(refusal.Report{
		Protocol: refusal.OPCUA, Where: "channel " + m.Channel, Application: c.Application, Device: c.Device, As: m.Device,
		Outcome: r.Outcome, Answer: "acknowledged, not stored", Reason: refusal.Explain(r),
	})
}

// Lost tells the readers of each device of the server.
func (u *upstream) Lost(l opcua.Loss) {
	u.mu.Lock()
	plan := u.plan
	u.mu.Unlock()
	body := newLossBody(u.name, l)
	for _, d := range plan.Devices {
		u.send(u.message(d.Name, ChannelLoss, body))
	}
}

// send publishes what no notification brings.
func (u *upstream) send(m *forward.Message) {
	m.ID, m.Time = uuid.NewString(), time.Now()
	m.Settled = func(r outcome.Result) { u.decide(m, r) }
	m.Left = func() {
		u.log.Warn("a message is lost: the gateway stops", zap.String("device", m.Device), zap.String("channel", m.Channel))
	}
	if !u.gateway.forwarder.Forward(m) {
		m.Left()
	}
}
