package gateways

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/neighbour"
)

// plant is a registry with one application: a gateway device, and a device that it may speak for.
type plant struct{}

const (
	plantApplication = `{"metadata":{"name":"plant","uid":"a"}}`
	site             = `{"metadata":{"application":"plant","name":"site","uid":"s"},"spec":{"authentication":{"credentials":[{"pass":"hey-rodney"}]}}}`
	pump             = `{"metadata":{"application":"plant","name":"pump","uid":"p"},"spec":{"gatewaySelector":{"matchNames":["site"]}}}`
	stranger         = `{"metadata":{"application":"plant","name":"stranger","uid":"x"}}`
)

func (plant) Application(_ context.Context, alias string) (*registry.Application, error) {
	if alias != "plant" {
		return nil, registry.ErrNotFound
	}
	return decoded[registry.Application](plantApplication)
}

func (plant) Anchored(context.Context, string) ([]string, error) { return nil, nil }

func (plant) Device(_ context.Context, _, alias string) (*registry.Device, error) {
	text, known := map[string]string{"site": site, "pump": pump, "stranger": stranger}[alias]
	if !known {
		return nil, registry.ErrNotFound
	}
	return decoded[registry.Device](text)
}

func decoded[T any](text string) (*T, error) {
	document := new(T)
	return document, json.Unmarshal([]byte(text), document)
}

// authentication is the address of the real authentication function over the plant.
func authentication(t *testing.T) string {
	t.Helper()
	service := auth.NewService(auth.DefaultServiceConfig(), plant{}, zap.NewNop())
	server := httptest.NewServer(authfn.New(authfn.DefaultConfig(), service))
	t.Cleanup(server.Close)
	return server.URL
}

func broker(t *testing.T, topics ...string) *kfake.Cluster {
	t.Helper()
	b, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// within is the configuration of a gateway among neighbours, with its probes at a free port.
func within(t *testing.T, b *kfake.Cluster, authentication string) Config {
	t.Helper()
	c := DefaultConfig()
	c.Kafka.Brokers, c.Auth.Client.URL = b.ListenAddrs(), authentication
	c.Health.Address = "127.0.0.1:0"
	return c
}

// A running is a gateway that runs in this process.
type running struct {
	t    *testing.T
	log  *observer.ObservedLogs
	stop func()
}

// start runs a gateway until the test ends, when it has to end well.
func start(t *testing.T, p assembly.Process, c Config, construct constructor) *running {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, p, c, construct, assembly.Neighbours{Log: zap.New(core)}) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the gateway %s ends with %v", p.Name, err)
			}
		})
	}
	t.Cleanup(stop)
	return &running{t, logs, stop}
}

// address is where the gateway says that it listens for a protocol.
func (r *running) address(protocol string) (address string) {
	r.t.Helper()
	neighbour.Eventually(r.t, "the log line of "+protocol, func() bool {
		for _, line := range r.log.FilterMessage("listening").FilterField(zap.String("protocol", protocol)).All() {
			address, _ = line.ContextMap()["address"].(string)
		}
		return address != ""
	})
	return address
}

// readiness is the status and the text with which the probe is answered.
func (r *running) readiness() (status int, text string) {
	r.t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Get("http://" + r.address("http") + "/health/readiness")
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var b strings.Builder
	_ = response.Write(&b)
	return response.StatusCode, b.String()
}
