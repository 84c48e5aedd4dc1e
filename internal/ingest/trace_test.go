package ingest

import (
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	sdk "github.com/cloudevents/sdk-go/v2/extensions"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// TestTraceContextOfADevice has the trace context that a device brought read from the record, by the extension of the SDK.
func TestTraceContextOfADevice(t *testing.T) {
	f := func(parent, state, wantParent, wantState string) {
		t.Helper()
		stored := &memory{}
		from := &auth.Session{
			Application: &registry.Application{Metadata: registry.Metadata{Name: "my-app", UID: "a"}},
			Device:      &registry.Device{Metadata: registry.Metadata{Name: "dev-1", UID: "d"}},
		}
		pipeline(stored).Do(tracing.Remote(t.Context(), parent, state), from, nil, Message{Channel: "x", Body: []byte("1")})
		e, err := binding.ToEvent(t.Context(), newKafkaMessage(stored.records[0]))
		if err != nil {
			t.Fatal(err)
		}
		got, there := sdk.GetDistributedTracingExtension(*e)
		if there != (wantParent != "") || got.TraceParent != wantParent || got.TraceState != wantState {
			t.Errorf("(%q, %q) is read as %+v", parent, state, got)
		}
		if string(stored.records[0].Key) != "my%2Dapp/dev%2D1" {
			t.Errorf("key %q", stored.records[0].Key)
		}
	}
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	f(parent, "a=b", parent, "a=b")
	f(parent, "", parent, "")
	f("", "", "", "")
	f("nonsense", "a=b", "", "")
}
