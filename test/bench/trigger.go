package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/triggers"
)

const (
	// deliveryLimit bounds the way of one event.
	deliveryLimit = 15 * time.Second

	// settleLimit bounds how long a new consumer group takes to find its place.
	settleLimit = 60 * time.Second
)

// measureTrigger sends one event at a time, the next after the one before has arrived: the time that an event takes
// when nothing waits in front of it.
func measureTrigger(ctx context.Context, s *scene) (rows []row, err error) {
	telemetry, n, err := s.telemetry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, telemetry.Close()) }()
	arrivals := make(chan time.Time, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrivals <- time.Now()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	policy, err := triggers.PolicyFor(&triggers.Trigger{}, nil)
	if err != nil {
		return nil, err
	}
	stop, err := dispatchTo(ctx, n, subscriptionTo(receiver.URL, event.Topic(application), "bench", policy))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	answers, deliveries, err := sendEach(ctx, telemetry, arrivals, s.size.events)
	if err != nil {
		return nil, err
	}
	produces, err := produceEach(ctx, n, s.size.events)
	if err != nil {
		return nil, err
	}
	return []row{
		percentiles("device to Trigger receiver", deliveries),
		percentiles("of which POST to 202", answers),
		percentiles("Kafka alone, record to acknowledgement", produces),
	}, nil
}

func percentiles(figure string, s sample[time.Duration]) row {
	return row{figure: figure, value: "p50 " + millis(s.median()), span: "p99 " + millis(s.quantile(0.99))}
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

// sendEach posts on one connection and waits for each event at the receiver.
func sendEach(ctx context.Context, to *functionbin.Function, arrivals <-chan time.Time, events int) (answers, deliveries sample[time.Duration], err error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.Address())
	if err != nil {
		return nil, nil, fmt.Errorf("connecting: %w", err)
	}
	defer connection.Close()
	s := newSender(connection, request(to.Address(), benchUser(0), benchPassword))
	// The first ones meet no cached decision, no known topic and no open connections.
	const unmeasured = 10
	for i := range events + unmeasured {
		answer, delivery, err := s.deliver(ctx, arrivals)
		if err != nil {
			return nil, nil, fmt.Errorf("event %d: %w", i, err)
		}
		if i >= unmeasured {
			answers, deliveries = append(answers, answer), append(deliveries, delivery)
		}
	}
	return answers, deliveries, nil
}

// deliver posts one event and waits for its arrival, which may come before the answer.
func (s *sender) deliver(ctx context.Context, arrivals <-chan time.Time) (answer, delivery time.Duration, err error) {
	began := time.Now()
	if err := s.connection.SetDeadline(began.Add(deliveryLimit)); err != nil {
		return 0, 0, err
	}
	status, err := s.once()
	if err != nil {
		return 0, 0, err
	}
	answer = time.Since(began)
	if status != http.StatusAccepted {
		return 0, 0, fmt.Errorf("answered with %d", status)
	}
	limit := time.NewTimer(deliveryLimit)
	defer limit.Stop()
	select {
	case arrived := <-arrivals:
		return answer, arrived.Sub(began), nil
	case <-limit.C:
		return 0, 0, errors.New("accepted and not delivered in time")
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// produceEach writes records of the same size with the same guarantees and nothing around.
func produceEach(ctx context.Context, n *neighbours, records int) (times sample[time.Duration], err error) {
	const topic = "bench-produce"
	if err := kafka.EnsureTopics(ctx, n.config(), 1, topic); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers()...), kgo.ProducerLinger(0))
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	defer client.Close()
	const unmeasured = 10
	for i := range records + unmeasured {
		began := time.Now()
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(body())}).FirstErr(); err != nil {
			return nil, fmt.Errorf("producing: %w", err)
		}
		if i >= unmeasured {
			times = append(times, time.Since(began))
		}
	}
	return times, nil
}
