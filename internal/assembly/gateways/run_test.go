package gateways

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

// TestProtocolIsOneFolder has a gateway that nobody planned forward messages of a site's devices into Kafka, with the
// authenticator, the pipeline and the forwarder that every gateway has.
func TestProtocolIsOneFolder(t *testing.T) {
	b := broker(t, event.Topic("plant"))
	c := within(t, b, authentication(t))
	g := start(t, lineProcess, c, newLine)
	conn, err := net.Dial("tcp", g.address("line"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewScanner(conn)
	f := func(line, want string) {
		t.Helper()
		fmt.Fprintln(conn, line)
		if !answers.Scan() || answers.Text() != want {
			t.Errorf("%q is answered with %q, want %q", line, answers.Text(), want)
		}
	}
	f("pump pressure 3.2", "accepted")
	f("pump pressure 3.3", "accepted")
	f("stranger pressure 1", "forbidden")
	g.stop()

	reader, err := kafka.NewClient(c.Kafka, kgo.ConsumeTopics(event.Topic("plant")), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var got []string
	for len(got) < 2 {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got = append(got, header(r, "ce_device")+" "+header(r, "ce_sender")+" "+header(r, "ce_subject")+" "+string(r.Value))
		})
	}
	if diff := cmp.Diff([]string{"pump site pressure 3.2", "pump site pressure 3.3"}, got); diff != "" {
		t.Error(diff)
	}
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// TestReadyOnceListening holds up a gateway before it listens.
func TestReadyOnceListening(t *testing.T) {
	c := within(t, broker(t), authentication(t))
	listen := make(chan struct{})
	g := start(t, lineProcess, c, func(ctx context.Context, c *Config, p *assembly.Parts) (func(context.Context) error, error) {
		<-listen
		return newLine(ctx, c, p)
	})
	if status, text := g.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(text, "it does not listen yet") {
		t.Errorf("before it listens: %d %s", status, text)
	}
	close(listen)
	neighbour.Eventually(t, "readiness", func() bool { status, _ := g.readiness(); return status == http.StatusOK })
}

// TestNotReadyWhileStopping holds up a gateway that drains.
func TestNotReadyWhileStopping(t *testing.T) {
	c := within(t, broker(t), authentication(t))
	drained := make(chan struct{})
	g := start(t, lineProcess, c, func(context.Context, *Config, *assembly.Parts) (func(context.Context) error, error) {
		return func(context.Context) error { <-drained; return nil }, nil
	})
	neighbour.Eventually(t, "readiness", func() bool { status, _ := g.readiness(); return status == http.StatusOK })
	stopped := make(chan struct{})
	go func() { g.stop(); close(stopped) }()
	neighbour.Eventually(t, "the end of readiness", func() bool {
		status, text := g.readiness()
		return status == http.StatusServiceUnavailable && strings.Contains(text, "it is stopping")
	})
	close(drained)
	<-stopped
}

// TestMQTTNotReadyWithoutRedis takes Redis away from a gateway, which then refuses log-ins, and gives it back.
func TestMQTTNotReadyWithoutRedis(t *testing.T) {
	redis := miniredis.RunT(t)
	c := within(t, broker(t), authentication(t))
	c.Cache.URL = "redis://" + redis.Addr()
	c.MQTT.TCP.Address = "127.0.0.1:0"
	mqtt, _ := assembly.Find(assembly.Gateway, assembly.MQTT)
	g := start(t, mqtt, c, constructors[mqtt.Name])
	ready := func() bool { status, _ := g.readiness(); return status == http.StatusOK }
	neighbour.Eventually(t, "readiness", ready)
	conn, err := net.Dial("tcp", g.address("mqtt"))
	if err != nil {
		t.Errorf("a gateway that is ready does not listen: %v", err)
	} else {
		conn.Close()
	}
	f := func(what string, away, back func()) {
		t.Helper()
		away()
		neighbour.Eventually(t, "no readiness while "+what, func() bool {
			status, text := g.readiness()
			return status == http.StatusServiceUnavailable && strings.Contains(text, "presence: ")
		})
		back()
		neighbour.Eventually(t, "readiness after "+what, ready)
	}
	f("redis is away", redis.Close, func() {
		if err := redis.Restart(); err != nil {
			t.Fatal(err)
		}
	})
	f("redis refuses commands", func() { redis.SetError("LOADING Redis is loading the dataset in memory") }, func() { redis.SetError("") })
}

// TestListenersAreLogged has every listener told with its address, its protocol and whether it is one of TLS.
func TestListenersAreLogged(t *testing.T) {
	c := within(t, broker(t), authentication(t))
	c.COAP.Address, c.COAP.SecureAddress = "127.0.0.1:0", "127.0.0.1:0"
	coap, _ := assembly.Find(assembly.Gateway, assembly.CoAP)
	g := start(t, coap, c, constructors[coap.Name])
	g.address("coap")
	neighbour.Eventually(t, "all lines", func() bool {
		lines := g.log.FilterMessage("listening")
		return lines.FilterField(zap.String("protocol", "http")).Len() == 1 && lines.FilterField(zap.String("protocol", "coap")).Len() == 2 &&
			lines.FilterField(zap.Bool("tls", true)).Len() == 1
	})
}
