package integration

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/internal/user"
)

// people are users by their token. The application plant is ada's, public everybody's to read, and others exist not.
type people struct {
	mu     sync.Mutex
	until  time.Time
	denied bool // ada may not read plant any more
}

func (p *people) Admit(_ context.Context, c user.Credential) (*user.Identity, user.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := ""
	switch c := c.(type) {
	case nil:
		return &user.Identity{}, user.Standing{}, nil
	case user.Bearer:
		token = string(c)
	case user.AccessToken:
		if c.User == c.Secret { // each user's access token is their name
			token = c.Secret
		}
	}
	if token != "ada" && token != "bob" {
		return nil, user.Standing{}, outcome.New(outcome.Unauthenticated, "")
	}
	return &user.Identity{ID: token, Until: p.until}, user.Standing{}, nil
}

func (p *people) Again(ctx context.Context, _ user.Standing) (*user.Identity, error) {
	i, _, err := p.Admit(ctx, user.Bearer("ada"))
	return i, err
}

func (p *people) Access(_ context.Context, application string) (user.Access, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case application == "plant" && !p.denied:
		return user.Access{Application: application, Owner: "ada"}, nil
	case application == "public":
		return user.Access{Application: application, Owner: "bob", Members: map[string]user.Role{user.Everyone: user.RoleReader}}, nil
	}
	return user.Access{}, nil
}

// A world is a gateway that serves, with a Kafka in the process.
type world struct {
	*testing.T
	people    *people
	guard     *feed.Guard
	producer  *kgo.Client
	mqtt, web string // addresses
	stop      func()
}

func newWorld(t *testing.T, change func(*Config), parts ...func(*Parts)) *world {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "events-plant", "events-public"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic("events-plant"), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	cluster, err := stream.Connect(kafka.Config{Brokers: broker.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := DefaultConfig()
	c.RenewalSpread = 0
	if change != nil {
		change(&c)
	}
	w := &world{T: t, people: &people{}, producer: producer}
	w.guard = feed.NewGuard(w.people, w.people)
	p := Parts{Guard: w.guard, Feed: feed.New(c.Feed, cluster, nil), Refusals: refusal.NewLog(zap.NewNop(), nil)}
	for _, change := range parts {
		change(&p)
	}
	w.serve(New(c, p))
	return w
}

func (w *world) serve(g *Gateway) {
	w.Helper()
	var l Listeners
	for _, into := range []*net.Listener{&l.MQTT.TCP, &l.Web} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		*into = listener
	}
	w.mqtt, w.web = l.MQTT.TCP.Addr().String(), l.Web.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.Error(err)
		}
	})
	w.Cleanup(w.stop)
}

// event makes an event of a channel and a device.
func deviceEvent(id, channel, device string) *kgo.Record {
	r := &kgo.Record{Value: []byte(`{"v":` + id + `}`)}
	for _, h := range [][2]string{
		{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_type", "t"}, {"ce_source", "/s"}, {"ce_subject", channel}, {"ce_device", device},
		{"content-type", "application/json"}, {"ce_dataschema", "urn:schema"},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// structured is an event in structured mode.
func structured(id, channel, device string) string {
	return `{"specversion":"1.0","id":"` + id + `","type":"t","source":"/s","subject":"` + channel + `","device":"` + device +
		`","dataschema":"urn:schema","datacontenttype":"application/json","data":{"v":` + id + `}}`
}

func (w *world) produce(records ...*kgo.Record) {
	w.Helper()
	if err := w.producer.ProduceSync(w.Context(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// withdraw takes plant from ada, and tells.
func (w *world) withdraw() {
	w.people.mu.Lock()
	w.people.denied = true
	w.people.mu.Unlock()
	w.guard.Hear(cache.Event{Change: registry.Change{Kind: registry.ApplicationChanged, Application: "plant"}})
}

// soon receives something that must come.
func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not come", what)
	}
	return v
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
