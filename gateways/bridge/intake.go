package bridge

import (
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// slotTimeout is how long a message waits for a place. Meanwhile nothing is read from the broker, neither the answer to
	// a ping.
	slotTimeout = time.Second
)

// An intake takes messages from the client, one after the other.
type intake struct {
	bridge *Bridge

	// Places of messages that are not decided. Those of QoS 1 should never run out, since the receive maximum bounds what
	// comes. But a broker may have lost its session; and there are brokers that send more than they may, such as mosquitto
	// when it resumes a session (github.com/eclipse-mosquitto/mosquitto/issues/2301).
	acknowledged, unacknowledged chan struct{}

	crowded bool // a message of QoS 0 has found no place, and none has found one since
}

func newIntake(b *Bridge, places int) *intake {
	return &intake{bridge: b, acknowledged: make(chan struct{}, places), unacknowledged: make(chan struct{}, places)}
}

// take is called for each message of a connection. Of a connection that is lost, messages of QoS 1 are left to the next
// one, on which they come again: taking one that is behind others that were left would change their order.
func (in *intake) take(r paho.PublishReceived) (bool, error) {
	if r.Packet.QoS == 0 {
		in.takeOnce(r.Packet)
		return true, nil
	}
	b, end := in.bridge, in.bridge.ledger.end()
	if closed(end) || closed(b.stopping()) {
		return true, nil
	}
	receipt, known := b.ledger.receive(r.Packet, func() { _ = r.Client.Ack(r.Packet) })
	if known {
		b.metrics.redelivered()
		return true, nil
	}
	d, ok := in.route(r.Packet, receipt)
	if !ok {
		return true, nil
	}
	if in.wait(end) {
		d.place = in.acknowledged
	}
	if d.place == nil || !in.enqueue(d) {
		b.ledger.forget(r.Packet, receipt)
	}
	return true, nil
}

// wait finds a place for a message of QoS 1. When there is none for a while, the connection is given up: the broker keeps
// the message, and everything behind it, until there is room for the next connection.
func (in *intake) wait(end <-chan struct{}) bool {
	select {
	case in.acknowledged <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(slotTimeout)
	defer timer.Stop()
	select {
	case in.acknowledged <- struct{}{}:
		return true
	case <-timer.C:
		in.bridge.log.Warn("the broker sends more messages than it may while none can be stored; it is left until one is")
		in.bridge.ledger.lost()
		in.bridge.upstream.disconnect()
	case <-end:
	case <-in.bridge.stopping():
	}
	return false
}

// room waits until there is a place for a message of QoS 1, or the bridge stops.
func (in *intake) room() {
	select {
	case in.acknowledged <- struct{}{}:
		<-in.acknowledged
	case <-in.bridge.stopping():
	}
}

// takeOnce takes a message of QoS 0, or drops it if there is no place for it.
func (in *intake) takeOnce(p *paho.Publish) {
	d, ok := in.route(p, nil)
	if !ok {
		return
	}
	if !in.squeeze() {
		in.bridge.drop(d, "too many messages wait to be stored")
		return
	}
	d.place = in.unacknowledged
	if !in.enqueue(d) {
		in.bridge.drop(d, "the bridge stops")
	}
}

// squeeze finds a place for a message of QoS 0. When one has waited for it in vain, those that follow do not wait.
func (in *intake) squeeze() bool {
	select {
	case in.unacknowledged <- struct{}{}:
		in.crowded = false
		return true
	default:
	}
	if in.crowded {
		return false
	}
	timer := time.NewTimer(slotTimeout)
	defer timer.Stop()
	select {
	case in.unacknowledged <- struct{}{}:
		return true
	case <-timer.C:
	case <-in.bridge.stopping():
	}
	in.crowded = true
	return false
}

// route finds out what a message is about. A message that is about nothing is refused, which settles it: it would be no
// better the next time.
func (in *intake) route(p *paho.Publish, r *receipt) (d *delivery, ok bool) {
	d = newDelivery(in.bridge, p, r)
	to, err := in.bridge.routes.find(p.Topic)
	if err != nil {
		in.bridge.report("topic "+p.Topic, d, outcome.ResultOf(err))
		in.bridge.decide(d, outcome.Of(err))
		return nil, false
	}
	if to.device != in.bridge.config.Gateway.Device {
		d.message.Device = to.device
	}
	d.message.Channel = to.channel
	return d, true
}

// enqueue puts a message in line, or gives its place back.
func (in *intake) enqueue(d *delivery) bool {
	if in.bridge.forwarder.Forward(&d.message) {
		return true
	}
	<-d.place
	return false
}
