package knative

import (
	"slices"
	"testing"

	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	sourcesv1 "knative.dev/eventing/pkg/apis/sources/v1"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"github.com/fairlead/fairlead/internal/event"
)

// Events go to functions that there are, from Brokers that there are, and are of a type that is sent.
func TestEventsReachFunctions(t *testing.T) {
	reaches := func(t *testing.T, name string, d duckv1.Destination) {
		t.Helper()
		if d.Ref == nil || d.Ref.APIVersion != "serving.knative.dev/v1" || d.Ref.Kind != "Service" {
			t.Errorf("%s goes to no Knative Service", name)
		} else if _, ok := functions(t)[d.Ref.Name]; !ok {
			t.Errorf("%s goes to the function %s, which there is not", name, d.Ref.Name)
		}
	}
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, s := range objects[*sourcesv1.PingSource](t, overlay) {
			reaches(t, "PingSource "+s.Name, s.Spec.Sink)
		}
		brokers := objects[*eventingv1.Broker](t, overlay)
		for _, trigger := range objects[*eventingv1.Trigger](t, overlay) {
			reaches(t, "Trigger "+trigger.Name, trigger.Spec.Subscriber)
			if !slices.ContainsFunc(brokers, func(b *eventingv1.Broker) bool { return b.Name == trigger.Spec.Broker }) {
				t.Errorf("Trigger %s reads the Broker %s, which there is not", trigger.Name, trigger.Spec.Broker)
			}
			if kind := trigger.Spec.Filters[0].Exact["type"]; kind != event.TypeApplicationChange {
				t.Errorf("Trigger %s asks for events of type %s", trigger.Name, kind)
			}
		}
	})
}
