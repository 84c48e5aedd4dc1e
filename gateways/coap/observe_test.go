package coap

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	netclient "github.com/plgd-dev/go-coap/v3/net/client"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/internal/command"
)

// A screen is what an observer has been notified of.
type screen struct {
	mu    sync.Mutex
	lines []reply
	netclient.Observation
}

// watch registers a client as an observer.
func watch(t *testing.T, conn *client.Conn, queries []string, list ...message.Option) *screen {
	t.Helper()
	s := &screen{}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	options := make(message.Options, 0, 10)
	for _, o := range list {
		options = options.Add(o)
	}
	for _, q := range queries {
		options = options.Add(message.Option{ID: message.URIQuery, Value: []byte(q)})
	}
	var err error
	s.Observation, err = conn.Observe(ctx, "/v1/commands", func(m *pool.Message) {
		body, _ := m.ReadBody()
		list, _ := m.Options().Clone()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lines = append(s.lines, reply{m.Code(), string(body), list})
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// line waits for the nth notification.
func (s *screen) line(t *testing.T, n int) (r reply) {
	t.Helper()
	eventually(t, "notification "+strconv.Itoa(n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.lines) > n {
			r = s.lines[n]
		}
		return len(s.lines) > n
	})
	return r
}

func TestObserveCommands(t *testing.T) {
	s := start(t, nil)
	s.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	f := func(conn *client.Conn, list ...message.Option) {
		t.Helper()
		own, proxied := watch(t, conn, nil, list...), watch(t, conn, []string{"as=sensor"}, list...)
		first := own.line(t, 0)
		if age, err := first.options.GetUint32(message.MaxAge); first.code != codes.Content || first.body != "" || err != nil || age != 3600 {
			t.Errorf("registered with %v %q, Max-Age %d", first.code, first.body, age)
		}
		proxied.line(t, 0)
		large := strings.Repeat("0123456789", 300)
		for i, body := range []string{"on", large, "off"} {
			s.send(t, command.Command{Gateway: "device", Device: "device", Name: "set" + strconv.Itoa(i), Payload: []byte(body)})
			if got := own.line(t, i+1); got.body != body || got.option(optionCommand) != "set"+strconv.Itoa(i) {
				t.Errorf("%q %q", got.option(optionCommand), got.body)
			}
		}
		s.send(t, command.Command{Gateway: "device", Device: "sensor", Name: "read", Payload: []byte("all"), ContentType: "text/plain"})
		if got := proxied.line(t, 1); got.body != "all" || got.option(message.ContentFormat) != "" {
			t.Errorf("%q, Content-Format %q", got.body, got.option(message.ContentFormat))
		}
		for _, o := range []*screen{own, proxied} {
			if err := o.Cancel(t.Context()); err != nil {
				t.Error(err)
			}
		}
		eventually(t, "nobody to listen", func() bool {
			return s.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "device"}).Taken() == 0
		})
	}
	f(s.dial(), basic("device@app", "secret"))
	f(s.secure(preShared("device@app", "key")...))
}

func TestObserversAreRefused(t *testing.T) {
	s := start(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if _, err := s.dial().Observe(ctx, "/v1/commands", func(*pool.Message) {}, basic("device@app", "wrong")); err == nil {
		t.Error("registered with a wrong password")
	}
	if _, err := s.dial().Observe(ctx, "/v1/telemetry", func(*pool.Message) {}, basic("device@app", "secret")); err == nil {
		t.Error("registered for something else than commands")
	}
}

// TestObserversLoseTheirRight has the registry take back what an observation rests on, or only change it.
func TestObserversLoseTheirRight(t *testing.T) {
	s := start(t, nil)
	s.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	own := watch(t, s.dial(), nil, basic("device@app", "secret"))
	proxied := watch(t, s.secure(preShared("device@app", "key")...), []string{"as=sensor"})
	own.line(t, 0)
	proxied.line(t, 0)

	s.application("app", `{"something":{}}`)
	s.send(t, command.Command{Gateway: "device", Device: "device", Name: "set", Payload: []byte("on")})
	if got := own.line(t, 1); got.body != "on" {
		t.Errorf("after a change that does not matter: %v %q", got.code, got.body)
	}
	s.device("sensor", `{}`)
	if got := proxied.line(t, 1); got.code != codes.Forbidden {
		t.Errorf("a gateway without its right is told %v %q", got.code, got.body)
	}
	s.device("device", `{"authentication":{"credentials":[{"pass":"another"}]}}`)
	if got := own.line(t, 2); got.code != codes.Forbidden {
		t.Errorf("a device with another password is told %v %q", got.code, got.body)
	}
	eventually(t, "nobody to listen", func() bool {
		return s.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "device"}).Taken() == 0
	})
}

func TestObservationsEndInTime(t *testing.T) {
	s := start(t, func(c *Config) { c.ObserveLifetime = 100 * time.Millisecond })
	watch(t, s.dial(), nil, basic("device@app", "secret")).line(t, 0)
	eventually(t, "the observation to end", func() bool {
		return s.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "device"}).Taken() == 0
	})
}

// TestWhoObservesMostGivesWay has one device take every place of the observers, before another one comes.
func TestWhoObservesMostGivesWay(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.MaxObservations = 3 })
	s.device("other", `{"authentication":{"credentials":[{"pass":"secret"}]}}`)
	all := make([]*screen, 3)
	for i := range all {
		all[i] = watch(t, s.dial(), nil, basic("device@app", "secret"))
		all[i].line(t, 0)
	}
	other := watch(t, s.dial(), nil, basic("other@app", "secret"))
	other.line(t, 0)
	if got := all[0].line(t, 1); got.code != codes.ServiceUnavailable {
		t.Errorf("who gives way is told %v", got.code)
	}
	s.send(t, command.Command{Gateway: "other", Device: "other", Name: "on"})
	if got := other.line(t, 1); got.code != codes.Content || got.option(optionCommand) != "on" {
		t.Errorf("the other one is told %v", got.code)
	}
}

// TestDrain has the gateway end while a message is stored, a request waits and a device observes.
func TestDrain(t *testing.T) {
	s := start(t, func(c *Config) { c.Message.AckDelay, c.DrainTimeout = 10*time.Millisecond, waitLimit }, func(s *site) { s.writer.held = make(chan func(), 10) })
	login := basic("device@app", "secret")
	observer := watch(t, s.dial(), nil, login)
	observer.line(t, 0)
	stored, waited := make(chan reply, 1), make(chan reply, 1)
	go func() { waited <- do(t, s.dial(), post("/v1/x", "x", login).query("ct=60")) }()
	(<-s.writer.held)()
	eventually(t, "a request to wait", func() bool { return s.waiting.Len() == 1 })
	go func() { stored <- do(t, s.dial(), post("/v1/x", "x", login)) }()
	finish := <-s.writer.held
	s.stop()
	if got := <-waited; got.code != codes.Changed {
		t.Errorf("the request that waits gets %v", got.code)
	}
	if got := observer.line(t, 1); got.code != codes.ServiceUnavailable {
		t.Errorf("the observer is told %v", got.code)
	}
	if got := do(t, s.dial(), post("/v1/x", "x", login)); got.code != codes.ServiceUnavailable {
		t.Errorf("a new request gets %v", got.code)
	}
	finish()
	if got := <-stored; got.code != codes.Changed {
		t.Errorf("the message that is stored meanwhile gets %v", got.code)
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
	s.stopped <- nil
}
