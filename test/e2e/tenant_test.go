//go:build integration

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A tenant is an application with its topic.
type tenant struct {
	t      *testing.T
	name   string
	topic  string
	broker string // of Kafka
}

// newTenant makes an application with a name of its own.
func newTenant(t *testing.T) *tenant {
	t.Helper()
	return namedTenant(t, "e2e-"+strings.ToLower(rand.Text()[:8]))
}

func namedTenant(t *testing.T, name string) *tenant {
	t.Helper()
	a := &tenant{t: t, name: name, topic: event.Topic(name), broker: here.kafka.Brokers()[0]}
	a.specify(`{}`)
	config := kafka.DefaultConfig()
	config.Brokers = here.kafka.Brokers()
	// A broker that has just started answers for a moment that there are too few of it.
	err := neighbour.Await(bounded(t), "kafka to make a topic", func(ctx context.Context) error {
		return kafka.EnsureTopics(ctx, config, 3, a.topic)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// specify writes the application with this specification, in JSON.
func (a *tenant) specify(spec string) {
	a.t.Helper()
	document := &registry.Application{Metadata: registry.Metadata{Name: a.name}, Spec: sections(a.t, spec)}
	a.tell(a.write(func(ctx context.Context) ([]registry.Change, error) {
		return here.store.ApplyApplication(ctx, document)
	}))
}

// trust has the application trust authorities, given as PEM, and no others. As the registry's management does, it writes what they
// come to into the status.
func (a *tenant) trust(authorities ...[]byte) {
	a.t.Helper()
	anchors := []map[string]string{}
	for _, text := range authorities {
		anchors = append(anchors, map[string]string{"certificate": base64.StdEncoding.EncodeToString(text)})
	}
	section, err := json.Marshal(map[string]any{"anchors": anchors})
	if err != nil {
		a.t.Fatal(err)
	}
	document := &registry.Application{
		Metadata: registry.Metadata{Name: a.name},
		Spec:     registry.Sections{registry.SectionTrustAnchors: section},
	}
	resolved, err := registry.ResolveTrustAnchors(document.Spec)
	if err != nil {
		a.t.Fatal(err)
	}
	status, err := json.Marshal(resolved)
	if err != nil {
		a.t.Fatal(err)
	}
	document.Status = registry.Sections{registry.SectionTrustAnchors: status}
	a.tell(a.write(func(ctx context.Context) ([]registry.Change, error) {
		return here.store.ApplyApplication(ctx, document)
	}))
}

// device writes a device with this specification, in JSON.
func (a *tenant) device(name, spec string) {
	a.t.Helper()
	a.tell(a.deviceUntold(name, spec))
}

// deviceUntold writes a device, and nobody hears of it.
func (a *tenant) deviceUntold(name, spec string) []registry.Change {
	a.t.Helper()
	document := &registry.Device{Metadata: registry.Metadata{Name: name, Application: a.name}, Spec: sections(a.t, spec)}
	return a.write(func(ctx context.Context) ([]registry.Change, error) { return here.store.ApplyDevice(ctx, document) })
}

// deviceInRedis writes a device with a password, and has a function look it up until Redis keeps it. It is not kept where Redis answers
// too late, nor for a moment after Redis was away. Each try changes both documents, so that the function looks again.
func (a *tenant) deviceInRedis(url, name, secret string) {
	a.t.Helper()
	config := redis.DefaultConfig()
	config.URL = here.redis.URL()
	client, err := config.Client()
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	keys := []string{config.Keys() + "app:" + a.name, config.Keys() + "dev:" + a.name + ":" + name}
	tries := 0
	neighbour.Eventually(a.t, "redis to keep "+name, func() bool {
		tries++
		try := fmt.Sprintf(`"try":{"number":%d}`, tries)
		a.specify(`{` + try + `}`)
		a.device(name, strings.TrimSuffix(password(secret), "}")+","+try+"}")
		accepted(a.t, "before", post(a.t, url, name+"@"+a.name+":"+secret, "x"))
		kept, err := client.Exists(a.t.Context(), keys...).Result()
		return err == nil && kept == int64(len(keys))
	})
}

// write changes the registry. It tries again, since the first use of a connection after the database was killed fails.
func (a *tenant) write(change func(context.Context) ([]registry.Change, error)) (changes []registry.Change) {
	a.t.Helper()
	err := neighbour.Await(bounded(a.t), "postgres to take a change", func(ctx context.Context) (err error) {
		changes, err = change(ctx)
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return changes
}

// tell has every process forget what it knew. Like the registry, it tries again until Redis has taken the news.
func (a *tenant) tell(changes []registry.Change) {
	a.t.Helper()
	err := neighbour.Await(bounded(a.t), "redis to take a change", func(ctx context.Context) error {
		return here.cache.Invalidate(ctx, changes...)
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// password is the specification of a device with a password.
func password(text string) string {
	return `{"authentication":{"credentials":[{"pass":` + quote(text) + `}]}}`
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(quoted)
}

func sections(t *testing.T, spec string) registry.Sections {
	t.Helper()
	var s registry.Sections
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		t.Fatalf("specification %s: %v", spec, err)
	}
	return s
}

// uid is the identity that the registry gave the application.
func (a *tenant) uid() string {
	a.t.Helper()
	document, err := here.store.Application(bounded(a.t), a.name)
	if err != nil {
		a.t.Fatal(err)
	}
	return document.Metadata.UID
}

// deviceUID is the identity that the registry gave a device.
func (a *tenant) deviceUID(name string) string {
	a.t.Helper()
	document, err := here.store.Device(bounded(a.t), a.name, name)
	if err != nil {
		a.t.Fatal(err)
	}
	return document.Metadata.UID
}

// remove deletes a device.
func (a *tenant) remove(name string) {
	a.t.Helper()
	a.tell(a.write(func(ctx context.Context) ([]registry.Change, error) {
		return here.store.DeleteDevice(ctx, a.name, name)
	}))
}
