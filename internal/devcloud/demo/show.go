package demo

import (
	"context"
	"crypto/rand"
	_ "embed" // for the Trigger
	"encoding/json"

	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/manifests"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/internal/registry"
)

// Application is the name of the demonstration's application.
const Application = "demo"

// Trigger is the name of the demonstration's Trigger with its namespace.
const Trigger = "default/demo"

//go:embed trigger.yaml
var trigger []byte

// A Show is one demonstration.
type Show struct {
	devices  []*device
	password string // of all simulated devices, made for this run
	server   *http.Server
	address  string

	posted, refused, received, delivered atomic.Uint64
	began                                time.Time
}

// New starts the receiver of the demonstration on a free port.
func New() (*Show, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the receiver of the demonstration: %w", err)
	}
	s := &Show{devices: devices(), password: rand.Text(), address: listener.Addr().String(), began: time.Now()}
	s.server = receiver.Server(receiver.Handler(func(cloudevents.Event) { s.received.Add(1) }))
	go func() {
		// Its listener is closed by Close alone; an event that finds nobody is retried and shown as lost.
		_ = s.server.Serve(listener)
	}()
	return s, nil
}

// Close stops the receiver.
func (s *Show) Close() { _ = s.server.Close() }

// Part is what the demonstration adds to a Dev.
func (s *Show) Part() *devcloud.Demo {
	d := &devcloud.Demo{Trigger: trigger, Targets: manifests.Targets{"demo": "http://" + s.address + "/"}}
	d.Registry.Applications = []*registry.Application{{Metadata: registry.Metadata{Name: Application}}}
	for _, simulated := range s.devices {
		// Marshalling texts cannot fail.
		credentials, _ := json.Marshal(registry.Authentication{
			Credentials: []registry.Credential{{Password: &registry.Password{Kind: registry.PlainPassword, Value: s.password}}},
		})
		d.Registry.Devices = append(d.Registry.Devices, &registry.Device{
			Metadata: registry.Metadata{Application: Application, Name: simulated.name},
			Spec:     registry.Sections{registry.SectionAuthentication: credentials},
		})
	}
	return d
}

// Run lets the devices post to the front door until the context ends.
func (s *Show) Run(ctx context.Context, url string) {
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	var running sync.WaitGroup
	for _, d := range s.devices {
		running.Go(func() { d.run(ctx, client, url, s.password, s.answered) })
	}
	running.Wait()
}

func (s *Show) answered(status int) {
	if status == http.StatusAccepted {
		s.posted.Add(1)
		return
	}
	s.refused.Add(1)
}

// Observe counts what was delivered.
func (s *Show) Observe(r dispatch.Report) {
	if r.Subscription == Trigger && r.Result == dispatch.Delivered {
		s.delivered.Add(1)
	}
}

// Summary says in one line what happened.
func (s *Show) Summary() string {
	return fmt.Sprintf("%d messages accepted, %d not, %d events delivered in %s",
		s.posted.Load(), s.refused.Load(), s.delivered.Load(), time.Since(s.began).Round(time.Second))
}
