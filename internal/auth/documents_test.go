package auth

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// documents is a registry in memory.
type documents struct {
	mu           sync.Mutex
	applications map[string]*registry.Application
	devices      map[string][]*registry.Device
	broken       error
	reads        atomic.Int64
}

var _ Registry = (*documents)(nil)

func (d *documents) Application(_ context.Context, alias string) (*registry.Application, error) {
	d.reads.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return nil, d.broken
	}
	for _, a := range d.applications {
		aliases, err := a.Aliases()
		if err == nil && slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Value == alias }) {
			return a, nil
		}
	}
	return nil, registry.ErrNotFound
}

func (d *documents) Anchored(_ context.Context, subject string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return nil, d.broken
	}
	for _, a := range d.applications {
		aliases, err := a.Aliases()
		if err == nil && slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Kind == registry.AliasTrustAnchor && x.Value == subject }) {
			names = append(names, a.Metadata.Name)
		}
	}
	return names, nil
}

func (d *documents) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	d.reads.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return nil, d.broken
	}
	for _, device := range d.devices[application] {
		aliases, err := device.Aliases()
		if err != nil { // what a store kept from before the document broke
			aliases = []registry.Alias{{Kind: registry.AliasName, Value: device.Metadata.Name}}
		}
		if slices.ContainsFunc(aliases, func(x registry.Alias) bool { return x.Value == alias }) {
			return device, nil
		}
	}
	return nil, registry.ErrNotFound
}

// fail makes every read an error from now on; nil mends it.
func (d *documents) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

// put adds or replaces a device and gives the change that a store would announce.
func (d *documents) put(device *registry.Device) registry.Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	application, name := device.Metadata.Application, device.Metadata.Name
	list := slices.DeleteFunc(d.devices[application], func(x *registry.Device) bool { return x.Metadata.Name == name })
	d.devices[application] = append(list, device)
	return registry.Change{Kind: registry.DeviceChanged, Application: application, Device: name, Aliases: []string{name}}
}

func newDocuments(list ...any) *documents {
	d := &documents{applications: map[string]*registry.Application{}, devices: map[string][]*registry.Device{}}
	for _, document := range list {
		switch document := document.(type) {
		case *registry.Application:
			d.applications[document.Metadata.Name] = document
		case *registry.Device:
			d.put(document)
		}
	}
	return d
}

func application(t testing.TB, name, spec string) *registry.Application {
	t.Helper()
	return &registry.Application{Metadata: registry.Metadata{Name: name, UID: "uid-" + name}, Spec: sections(t, spec)}
}

func device(t testing.TB, application, name, spec string) *registry.Device {
	t.Helper()
	return &registry.Device{Metadata: registry.Metadata{Application: application, Name: name, UID: "uid-" + name}, Spec: sections(t, spec)}
}

func sections(t testing.TB, text string) (s registry.Sections) {
	t.Helper()
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func deleting[T registry.Application | registry.Device](document *T) *T {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	switch d := any(document).(type) {
	case *registry.Application:
		d.Metadata.DeletionTimestamp = &now
	case *registry.Device:
		d.Metadata.DeletionTimestamp = &now
	}
	return document
}

// Hashes of the passwords that their names say; bcrypt has its lowest cost, to be quick.
const (
	bcryptBar = "$2a$04$NF5V.XE96kIZQxoSjOi/XONaT7tpkA0dQxb1X6Va9Ps/e8nZc6K9e"
	sha512Baz = "$6$wd0Uq4mq$Sy9HvJjQ5bm3DulGE2MhMtuU6po3a/O8AYwtQLMNF59XkJycEiu5951S0Qm7oPhKD1qh4LcNO84eo8JftFxFz1"
)

func newTestService(t testing.TB, list ...any) *Service {
	t.Helper()
	return NewService(DefaultServiceConfig(), newDocuments(list...), nil)
}

func expect(t *testing.T, what string, err error, want outcome.Outcome) {
	t.Helper()
	if got := outcome.Of(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}
