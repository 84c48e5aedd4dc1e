package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func testQuotas(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	s.applyDevice(`{"metadata":{"name":"there","application":"other"}}`)
	create := func(name string, quota store.Quota) error {
		_, err := s.CreateDeviceWithin(t.Context(), device(t, fmt.Sprintf(`{"metadata":{"name":%q,"application":"app"},"spec":{"alias":["alias of %s"]}}`, name, name)), store.Expect{}, quota)
		return err
	}
	f := func(what string, want error, err error) {
		t.Helper()
		if !errors.Is(err, want) || (want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	const most = writers / 2
	created := 0
	for _, err := range race(writers, func(i int) error {
		return create(fmt.Sprintf("d%d", i), store.Quota{Devices: most, PerMinute: writers})
	}) {
		if err == nil {
			created++
		} else {
			f("one too many", store.ErrTooMany, err)
		}
	}
	if created != most {
		t.Errorf("%d devices were created at once, want %d", created, most)
	}
	f("too fast", store.ErrTooFast, create("e", store.Quota{Devices: writers, PerMinute: most}))
	f("within", nil, create("e", store.Quota{Devices: writers, PerMinute: most + 1}))
	f("again", store.ErrConflict, create("e", store.Quota{Devices: writers, PerMinute: writers}))

	won := 0
	for _, err := range race(writers, func(int) error { return create("same", store.Quota{Devices: 2 * writers, PerMinute: 2 * writers}) }) {
		if err == nil {
			won++
		} else {
			f("the same device at once", store.ErrConflict, err)
		}
	}
	if found := s.device("app", "alias of same"); won != 1 || found.Metadata.Name != "same" {
		t.Errorf("%d have created %v", won, found.Metadata.Name)
	}
	wide := store.Quota{Devices: 100, PerMinute: 100}
	elsewhere := func(application string, expect store.Expect) error {
		_, err := s.CreateDeviceWithin(t.Context(), &registry.Device{Metadata: registry.Metadata{Name: "n", Application: application}}, expect, wide)
		return err
	}
	f("no application", store.ErrReference, elsewhere("none", store.Expect{}))
	f("another application by now", store.ErrReference, elsewhere("app", store.Expect{ApplicationUID: "another"}))
	_, err := s.CreateDeviceWithin(t.Context(), &registry.Device{Metadata: registry.Metadata{Application: "app"}}, store.Expect{}, wide)
	f("an invalid device", store.ErrInvalid, err)
}
