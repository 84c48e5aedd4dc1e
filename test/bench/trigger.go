package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/triggers"
)

const (
	// deliveryLimit bounds the way of one event.
	deliveryLimit = 15 * time.Second

	// settleLimit bounds how long a new consumer group takes to find its place.
	settleLimit = 60 * time.Second
)

// measureTrigger sends one event at a time, the next after the one before has been answered or has arrived: the time that an event
// takes when nothing waits in front of it. Each is compared with a record that is written to Kafka alone, in turns. First nobody reads
// the events, then one Trigger.
func measureTrigger(ctx context.Context, s *scene) (rows []row, err error) {
	telemetry, n, err := s.telemetry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, telemetry.Close()) }()
	gateway, _, err := s.gateway(ctx)
	if err != nil {
		return nil, err
	}
	alone, err := newProducerAlone(ctx, n, "bench-produce")
	if err != nil {
		return nil, err
	}
	defer alone.client.Close()
	post := &lonePoster{to: telemetry}
	defer post.close()
	publish, err := dialPublish(ctx, gateway)
	if err != nil {
		return nil, err
	}
	defer publish.Conn.Close()
	written := &eventWay{name: "Kafka alone, record to acknowledgement", once: alone.once}
	answered := []*eventWay{
		{name: "POST to 202", connect: post.connect, once: post.answered, most: maxAnswered},
		{name: "PUBLISH to PUBACK", once: publish.answered, most: maxAnswered},
	}
	if err := inTurns(ctx, s.size, written, answered...); err != nil {
		return nil, err
	}
	receiver := receive()
	defer receiver.Close()
	stop, err := receiver.dispatch(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	reader, err := newConsumerAlone(ctx, n, "bench-consume")
	if err != nil {
		return nil, err
	}
	defer reader.close()
	beside := &eventWay{name: "Kafka alone, beside a Trigger", once: alone.once}
	fetched := &eventWay{name: "Kafka alone, record to consumer", once: reader.once}
	delivered := &eventWay{name: "device to Trigger receiver", connect: post.connect, most: maxDelivered, once: func(ctx context.Context) (time.Duration, error) {
		return receiver.delivered(ctx, post)
	}}
	if err := inTurns(ctx, s.size, beside, fetched, delivered); err != nil {
		return nil, err
	}
	rows = append(rows, written.rows(nil)...)
	for _, way := range answered {
		rows = append(rows, way.rows(written)...)
	}
	return slices.Concat(rows, beside.rows(nil), fetched.rows(nil), delivered.rows(beside)), nil
}

// Targets of one event alone, as multiples of Kafka alone.
const (
	maxAnswered  = 2.0 // median
	maxDelivered = 4.0 // median
	maxAloneTail = 3.0 // p99
)

// An eventWay is a way that one event at a time goes.
type eventWay struct {
	name    string
	connect func(context.Context) error // before each round; may be nil
	once    func(context.Context) (time.Duration, error)
	most    float64 // of its median to that of Kafka alone
	rounds  []sample[time.Duration]
}

// inTurns sends events each way, a round after the other.
func inTurns(ctx context.Context, s size, first *eventWay, others ...*eventWay) error {
	ways := append([]*eventWay{first}, others...)
	// The first ones meet no cached decision, no known topic, no open connections and a Kafka that is not warm.
	unmeasured := s.events / 2
	for _, way := range ways {
		if _, err := way.round(ctx, unmeasured); err != nil {
			return err
		}
	}
	for round := range s.rounds {
		for i := range ways {
			way := ways[(i+round)%len(ways)]
			times, err := way.round(ctx, s.events)
			if err != nil {
				return err
			}
			way.rounds = append(way.rounds, times)
		}
	}
	return nil
}

func (w *eventWay) round(ctx context.Context, events int) (times sample[time.Duration], err error) {
	if w.connect != nil {
		if err := w.connect(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for i := range events {
		took, err := w.once(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s, event %d: %w", w.name, i, err)
		}
		times = append(times, took)
	}
	return times, nil
}

// rows are its times and, unless alone is nil, how they compare with those of Kafka alone in the same rounds.
func (w *eventWay) rows(alone *eventWay) []row {
	var medians, tails, medianRatios, tailRatios sample[float64]
	for i, times := range w.rounds {
		median, tail := float64(times.median()), float64(times.quantile(0.99))
		medians, tails = append(medians, median), append(tails, tail)
		if alone != nil {
			medianRatios = append(medianRatios, median/float64(alone.rounds[i].median()))
			tailRatios = append(tailRatios, tail/float64(alone.rounds[i].quantile(0.99)))
		}
	}
	rows := []row{{figure: w.name, value: "p50 " + millis(time.Duration(medians.median())), span: "p99 " + millis(time.Duration(tails.median()))}}
	if alone == nil {
		return rows
	}
	return append(rows,
		ratioRow(w.name+", p50 to Kafka alone", medianRatios, atMost(w.most)),
		ratioRow(w.name+", p99 to Kafka alone", tailRatios, atMost(maxAloneTail)))
}

// A producerAlone writes records with the same guarantees and of the same size, and nothing around.
type producerAlone struct{ client *kgo.Client }

func newProducerAlone(ctx context.Context, n *neighbours, topic string) (*producerAlone, error) {
	if err := kafka.EnsureTopics(ctx, n.config(), 1, topic); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers()...), kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	return &producerAlone{client}, nil
}

func (p *producerAlone) once(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := p.client.ProduceSync(ctx, &kgo.Record{Value: []byte(body())}).FirstErr()
	return time.Since(began), err
}

// A consumerAlone reads what it has written, and nothing around.
type consumerAlone struct {
	producer *producerAlone
	client   *kgo.Client
}

func newConsumerAlone(ctx context.Context, n *neighbours, topic string) (*consumerAlone, error) {
	producer, err := newProducerAlone(ctx, n, topic)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers()...), kgo.ConsumeTopics(topic))
	if err != nil {
		producer.client.Close()
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	return &consumerAlone{producer, client}, nil
}

// once writes a record and waits until it is read, which may be before its acknowledgement.
func (c *consumerAlone) once(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	written := make(chan error, 1)
	began := time.Now()
	c.producer.client.Produce(ctx, &kgo.Record{Value: []byte(body())}, func(_ *kgo.Record, err error) { written <- err })
	fetches := c.client.PollFetches(ctx)
	took := time.Since(began)
	return took, errors.Join(fetches.Err(), <-written)
}

func (c *consumerAlone) close() {
	c.client.Close()
	c.producer.client.Close()
}

// A lonePoster posts one event after the other.
type lonePoster struct {
	to *functionbin.Function
	*sender
}

// connect connects to telemetry, which closes a connection that has said nothing in the rounds of others.
func (p *lonePoster) connect(ctx context.Context) error {
	p.close()
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.to.Address())
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	p.sender = newSender(connection, request(p.to.Address(), benchUser(0), benchPassword))
	return nil
}

func (p *lonePoster) close() {
	if p.sender != nil {
		_ = p.connection.Close()
	}
}

// answered posts one event and waits for the answer.
func (p *lonePoster) answered(context.Context) (time.Duration, error) {
	began := time.Now()
	if err := p.connection.SetDeadline(began.Add(deliveryLimit)); err != nil {
		return 0, err
	}
	status, err := p.once()
	if err == nil && status != http.StatusAccepted {
		err = fmt.Errorf("answered with %d", status)
	}
	return time.Since(began), err
}

// A lonePublisher publishes one message after the other.
type lonePublisher struct {
	*mqttclient.Client
	packet []byte
}

// dialPublish connects to the MQTT gateway.
func dialPublish(ctx context.Context, to *gatewayProcess) (*lonePublisher, error) {
	client, err := mqttclient.Dial(ctx, mqttclient.TCP(to.address), deviceName(0), benchUser(0), benchPassword)
	if err != nil {
		return nil, err
	}
	packet, id := mqttclient.AppendPublish(nil, publishTopic, []byte(body()))
	binary.BigEndian.PutUint16(packet[id:], 1)
	return &lonePublisher{client, packet}, nil
}

// answered publishes one message with QoS 1 and waits for the acknowledgement.
func (p *lonePublisher) answered(context.Context) (time.Duration, error) {
	began := time.Now()
	if err := p.Conn.SetDeadline(began.Add(deliveryLimit)); err != nil {
		return 0, err
	}
	if _, err := p.Conn.Write(p.packet); err != nil {
		return 0, err
	}
	kind, _, err := p.ReadPacket()
	if err == nil && kind != mqttclient.Puback {
		err = fmt.Errorf("answered with a packet of kind %x", kind)
	}
	return time.Since(began), err
}

// A receiver is the subscriber of a Trigger.
type receiver struct {
	*httptest.Server
	arrivals chan time.Time
}

func receive() *receiver {
	r := &receiver{arrivals: make(chan time.Time, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.arrivals <- time.Now()
		w.WriteHeader(http.StatusNoContent)
	}))
	return r
}

// dispatch has the events of the application delivered, those that come from now on.
func (r *receiver) dispatch(ctx context.Context, n *neighbours) (stop func() error, err error) {
	policy, err := triggers.PolicyFor(&triggers.Trigger{}, nil)
	if err != nil {
		return nil, err
	}
	return dispatchTo(ctx, n, subscriptionTo(r.URL, event.Topic(application), "bench", policy))
}

// delivered posts one event and waits for its arrival, which may come before the answer.
func (r *receiver) delivered(ctx context.Context, post *lonePoster) (time.Duration, error) {
	began := time.Now()
	if _, err := post.answered(ctx); err != nil {
		return 0, err
	}
	limit := time.NewTimer(deliveryLimit)
	defer limit.Stop()
	select {
	case arrived := <-r.arrivals:
		return arrived.Sub(began), nil
	case <-limit.C:
		return 0, errors.New("accepted and not delivered in time")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// subscriptionTo has everything of a topic delivered, as fairlead dev does for a Trigger without a filter.
func subscriptionTo(url, topic, group string, policy triggers.Policy) dispatch.Subscription {
	return dispatch.Subscription{
		Name: "default/bench", Group: group, Topic: topic, Application: application, Subscriber: url, Policy: policy, Version: "1",
	}
}

// dispatchTo serves one subscription.
func dispatchTo(ctx context.Context, n *neighbours, subscription dispatch.Subscription) (stop func() error, err error) {
	dispatcher, err := dispatch.New(dispatch.Options{Kafka: n.config()})
	if err != nil {
		return nil, err
	}
	stop = func() error {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryLimit)
		defer cancel()
		return dispatcher.Close(closing)
	}
	if err = dispatcher.Apply([]dispatch.Subscription{subscription}); err == nil {
		settling, cancel := context.WithTimeout(ctx, settleLimit)
		defer cancel()
		err = dispatcher.Settled(settling)
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}
