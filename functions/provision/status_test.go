package provision

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func TestStatusSaysWhereEventsAre(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", "")
	w.reconcile("app")
	ready := registry.Conditions{{Type: registry.Ready, Status: registry.True}}
	ignored := cmpopts.IgnoreFields(registry.Condition{}, "LastTransitionTime")
	check := func(generation uint64) {
		t.Helper()
		var k kafkaStatus
		var n knativeStatus
		a := w.read("app")
		if err := json.Unmarshal(a.Status[sectionKafka], &k); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(a.Status[sectionKnative], &n); err != nil {
			t.Fatal(err)
		}
		found := &downstream{Topic: "events-app", BootstrapServers: w.settings.Brokers[0], Properties: map[string]string{}}
		if diff := cmp.Diff(kafkaStatus{generation, ready, found}, k, ignored); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(knativeStatus{generation, ready}, n, ignored); diff != "" {
			t.Error(diff)
		}
	}
	check(1)
	before := w.read("app").Metadata.ResourceVersion
	w.reconcile("app")
	if w.read("app").Metadata.ResourceVersion != before {
		t.Error("a status that says the same was written again")
	}
	_, err := w.store.UpdateApplication(t.Context(), "app", store.Expect{}, func(a *registry.Application) error {
		a.Spec = registry.Sections{"other": json.RawMessage("{}")}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.reconcile("app")
	check(2)
}
