package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	pullSize = 256 // bytes of data
	pullUser = "puller"

	// pullApplication is the application of burstTopic.
	pullApplication = "bench-burst"

	// pullAtOnce is how many consumers connect at once where many are counted.
	pullAtOnce = 20
)

// Targets.
const (
	leastWebSocket = 0.5 // of a bare consumer's events per second
	leastMQTT      = 0.3
	mostOfBroker   = 1.0 // of mosquitto's processor time
)

// A puller is the gateway for users who consume events, and a user.
type puller struct {
	*gatewaybin.Gateway
	mqtt, web, secret string
}

// measurePull has events written at once, and read in turns by a bare consumer and by users.
func measurePull(ctx context.Context, s *scene) ([]row, error) {
	g, n, err := s.puller(ctx)
	if err != nil {
		return nil, err
	}
	producer, err := kafka.NewClient(n.config(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	data := `{"value":"` + strings.Repeat("x", pullSize-len(`{"value":""}`)) + `"}`
	readers := []*reader{
		{name: "a bare franz-go consumer", events: plainEvents, value: data, start: readBare},
		{name: "WebSocket", events: plainEvents, value: data, start: g.webSocket},
		{name: "MQTT, QoS 1", events: plainEvents, value: data, start: g.subscribe},
	}
	var spent []sample[float64]
	for range readers {
		spent = append(spent, nil)
	}
	for round := range s.size.rounds {
		for i := range readers {
			at := (i + round) % len(readers)
			before, err := g.CPUTime()
			if err != nil {
				return nil, err
			}
			run, err := readers[at].read(ctx, n, producer, fmt.Sprintf("pull-%d-%d", at, round))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", readers[at].name, err)
			}
			after, err := g.CPUTime()
			if err != nil {
				return nil, err
			}
			readers[at].runs = append(readers[at].runs, run)
			spent[at] = append(spent[at], (after-before).Seconds()*1e6/plainEvents)
		}
	}
	rows := comparePull(readers, spent)
	for _, measure := range []func(context.Context, *scene, *puller, sample[float64]) ([]row, error){compareBroker, countConsumers} {
		more, err := measure(ctx, s, g, spent[2])
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// puller starts the gateway with the authentication function, and makes a user. They end with the scene.
func (s *scene) puller(ctx context.Context) (*puller, *neighbours, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := kafka.EnsureTopics(ctx, n.config(), burstPartitions, burstTopic); err != nil {
		return nil, nil, err
	}
	g := &puller{}
	if g.secret, err = n.pullToken(ctx); err != nil {
		return nil, nil, err
	}
	judge, err := s.judge(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	gateways, err := s.gatewayBinary(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, address := range []*string{&g.mqtt, &g.web} {
		if *address, err = gatewaybin.FreeAddress(); err != nil {
			return nil, nil, err
		}
	}
	g.Gateway, err = gateways.Start(ctx, "integration",
		"FAIRLEAD_INTEGRATION_MQTT_TCP_ADDRESS="+g.mqtt, "FAIRLEAD_INTEGRATION_WEB_ADDRESS="+g.web,
		"FAIRLEAD_AUTH_CLIENT_URL="+judge.URL(), "FAIRLEAD_CACHE_URL="+n.redis.URL(),
		"FAIRLEAD_KAFKA_BROKERS="+strings.Join(n.kafka.Brokers(), ","))
	if err != nil {
		return nil, nil, fmt.Errorf("starting the gateway: %w", err)
	}
	s.afterwards(g.Close)
	return g, n, nil
}

// pullToken makes the application and an access token of a user.
func (n *neighbours) pullToken(ctx context.Context) (secret string, err error) {
	s, err := postgres.Open(ctx, n.postgres.URL())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := s.ApplyApplication(ctx, &registry.Application{Metadata: registry.Metadata{Name: pullApplication}}); err != nil {
		return "", err
	}
	tokens := user.NewTokens(user.DefaultTokensConfig(), accounts.New(s))
	_, secret, err = tokens.Create(ctx, &user.Identity{ID: pullUser, Name: pullUser}, user.TokenRequest{})
	return secret, err
}

// dial opens a WebSocket; an empty group is none.
func (g *puller) dial(ctx context.Context, group string) (*websocket.Conn, error) {
	url := "ws://" + g.web + "/" + pullApplication + "?token=" + g.secret
	if group != "" {
		url += "&group_id=" + group
	}
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	return conn, nil
}

// webSocket reads with a group.
func (g *puller) webSocket(ctx context.Context, _ *neighbours, group string, arrive func()) (func() error, error) {
	conn, err := g.dial(ctx, group)
	if err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		var message [4 * pullSize]byte // an event, with its attributes
		for {
			_, r, err := conn.Reader(ctx)
			if err != nil {
				return
			}
			if _, err := io.ReadFull(r, message[:]); !errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			arrive()
		}
	})
	return func() error {
		_ = conn.CloseNow()
		reading.Wait()
		return nil
	}, nil
}

// subscribe reads with a group and QoS 1, and acknowledges each event.
func (g *puller) subscribe(ctx context.Context, _ *neighbours, group string, arrive func()) (func() error, error) {
	c, err := mqttclient.Dial(ctx, mqttclient.TCP(g.mqtt), group, pullUser, g.secret)
	if err != nil {
		return nil, err
	}
	if err := c.SubscribeTo("$share/"+group+"/app/"+pullApplication, 1); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return acknowledgeAll(c, arrive), nil
}

// acknowledgeAll takes messages of QoS 1 until it is stopped. Acknowledgements are sent when nothing more has been read yet.
func acknowledgeAll(c *mqttclient.Client, arrive func()) (stop func() error) {
	var reading sync.WaitGroup
	reading.Go(func() {
		var due []byte
		for {
			kind, body, err := c.ReadPacket()
			if err != nil {
				return
			}
			if kind != mqttclient.Publish || len(body) < 2 {
				continue
			}
			id := 2 + int(body[0])<<8 + int(body[1])
			due = append(due, mqttclient.Puback, 2, body[id], body[id+1])
			arrive()
			if c.Reader.Buffered() > 0 && len(due) < 2<<10 {
				continue
			}
			if _, err := c.Write(due); err != nil {
				return
			}
			due = due[:0]
		}
	})
	return func() error {
		err := c.Close()
		reading.Wait()
		return err
	}
}

func comparePull(readers []*reader, spent []sample[float64]) (rows []row) {
	perSecond := func(r *reader) (all sample[float64]) {
		for _, run := range r.runs {
			all = append(all, run.perSecond)
		}
		return all
	}
	bare := perSecond(readers[0])
	rows = append(rows, row{figure: readers[0].name + ", events per second", value: whole(bare.median()), span: bare.span(whole)})
	for i, least := range []float64{leastWebSocket, leastMQTT} {
		r := readers[1+i]
		own := perSecond(r)
		var ratios sample[float64]
		for j := range own {
			ratios = append(ratios, own[j]/bare[j])
		}
		cost := spent[1+i]
		rows = append(rows,
			row{figure: r.name + ", events per second", value: whole(own.median()), span: own.span(whole)},
			ratioRow(r.name+" to the bare consumer", ratios, atLeast(least)),
			row{figure: r.name + ", processor µs of the gateway for an event", value: tenths(cost.median()), span: cost.span(tenths)},
		)
	}
	return rows
}

// compareBroker has mosquitto take the same number of messages from one client, and hand them to one subscriber, both with QoS 1.
func compareBroker(ctx context.Context, s *scene, _ *puller, own sample[float64]) ([]row, error) {
	broker, err := neighbour.StartMosquitto(ctx)
	if err != nil {
		return nil, err
	}
	defer broker.Close()
	var all sample[float64]
	for range s.size.rounds {
		spent, err := brokerCost(ctx, broker)
		if err != nil {
			return nil, err
		}
		all = append(all, spent)
	}
	compared := own.median() / all.median()
	return []row{
		{figure: "mosquitto, processor µs to take a message and to hand it on", value: tenths(all.median()), span: all.span(tenths)},
		{figure: "MQTT, QoS 1, to mosquitto", value: ratio(compared), target: fmt.Sprintf("at most %.1f", mostOfBroker), holds: compared <= mostOfBroker},
	}, nil
}

// brokerCost is the processor time of mosquitto for one message, in microseconds.
func brokerCost(ctx context.Context, broker *neighbour.Mosquitto) (micros float64, err error) {
	subscriber, err := mqttclient.Dial(ctx, mqttclient.TCP(strings.TrimPrefix(broker.URL(), "mqtt://")), "subscriber", "", "")
	if err != nil {
		return 0, err
	}
	if err := subscriber.Subscribe(); err != nil {
		return 0, errors.Join(err, subscriber.Close())
	}
	var a arrivals
	a.expect(plainEvents)
	stop := acknowledgeAll(subscriber, a.arrive)
	defer func() { err = errors.Join(err, stop()) }()
	publisher, err := mqttclient.Dial(ctx, mqttclient.TCP(strings.TrimPrefix(broker.URL(), "mqtt://")), "publisher", "", "")
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	before, err := broker.CPUTime()
	if err != nil {
		return 0, err
	}
	if err := publishMany(publisher, plainEvents); err != nil {
		return 0, err
	}
	if err := a.wait(ctx); err != nil {
		return 0, err
	}
	after, err := broker.CPUTime()
	return (after - before).Seconds() * 1e6 / plainEvents, err
}

// publishMany publishes messages of about the size of an event in JSON, a hundred in flight.
func publishMany(c *mqttclient.Client, n int) error {
	const inFlight, size = 100, 480
	message, at := mqttclient.AppendPublish(nil, "app/"+pullApplication, []byte(strings.Repeat("x", size)))
	answered := make(chan struct{}, inFlight)
	failed := make(chan error, 1)
	go func() {
		for range n {
			if _, _, err := c.ReadPacket(); err != nil {
				failed <- err
				return
			}
			<-answered
		}
		failed <- nil
	}()
	for i := range n {
		select {
		case answered <- struct{}{}:
		case err := <-failed:
			return err
		}
		id := i%inFlight*2 + 1
		message[at], message[at+1] = byte(id>>8), byte(id)
		if _, err := c.Write(message); err != nil {
			return err
		}
	}
	return <-failed
}

// countConsumers tells what memory many consumers take that do nothing, each with a group of its own, and without one, of a gateway that
// has done nothing before.
func countConsumers(ctx context.Context, s *scene, _ *puller, _ sample[float64]) (rows []row, err error) {
	for _, grouped := range []bool{false, true} {
		name := "a consumer without a group, KiB"
		if grouped {
			name = "a consumer with a group of its own, KiB"
		}
		g, _, err := s.puller(ctx)
		if err != nil {
			return rows, err
		}
		each, err := g.memory(ctx, s.size.pullers, grouped)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row{figure: name, value: tenths(each), span: fmt.Sprintf("of %d", s.size.pullers)})
	}
	return rows, nil
}

// memory is what one of many consumers takes, in KiB.
func (g *puller) memory(ctx context.Context, n int, grouped bool) (float64, error) {
	before, err := g.Resident()
	if err != nil {
		return 0, err
	}
	conns, problems := make([]*websocket.Conn, n), make([]error, n)
	turns := make(chan struct{}, pullAtOnce)
	var dialing sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		dialing.Go(func() {
			defer func() { <-turns }()
			group := ""
			if grouped {
				group = fmt.Sprintf("memory-%d-%d", i, time.Now().UnixNano())
			}
			conns[i], problems[i] = g.dial(ctx, group)
		})
	}
	dialing.Wait()
	after, err := g.Resident()
	for _, conn := range conns {
		if conn != nil {
			_ = conn.CloseNow()
		}
	}
	if err = errors.Join(append(problems, err)...); err != nil {
		return 0, err
	}
	return float64(after-before) / float64(n) / 1024, nil
}
