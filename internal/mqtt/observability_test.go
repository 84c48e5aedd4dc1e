package mqtt

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// collect reads what the metrics of this package say, by name and label.
func collect(t *testing.T, r *metric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				t.Fatalf("%s is a %T", m.Name, m.Data)
			}
			for _, p := range sum.DataPoints {
				name := m.Name
				for _, kv := range p.Attributes.ToSlice() {
					name += fmt.Sprintf(" %s=%s", kv.Key, kv.Value.Emit())
				}
				got[name] += p.Value
			}
		}
	}
	return got
}

// since leaves what has changed.
func since(before, now map[string]int64) map[string]int64 {
	changed := map[string]int64{}
	for name, value := range now {
		if value != before[name] {
			changed[name] = value - before[name]
		}
	}
	return changed
}

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	start := collect(t, reader) // what servers of other tests have counted
	inWorld(t, func(c *Config) { c.ConnectBurst = 3 }, func(w *world) {
		w.gateway.connect = func(_ context.Context, _ *Conn, p *packet.Connect) error {
			if p.ClientID == "bad" {
				return outcome.New(outcome.Unauthenticated, "no")
			}
			return nil
		}
		c, _ := w.admitted(packet.V5)
		c.works()
		broken, _ := w.admitted(packet.V5)
		broken.send(frame(0x20, []byte{0, 0, 0}))
		broken.expectDisconnect(packet.ProtocolError)
		bad := w.call(packet.V5)
		bad.send(hello{version: packet.V5, flags: 2, id: "bad"}.bytes())
		bad.expectRefusal(packet.BadUsernameOrPassword, 0)
		w.refused(packet.V5, packet.ConnectionRateExceeded)
		silent := w.call(packet.V5)
		silent.expectEnd()
		want := map[string]int64{
			"fairlead.mqtt.connections admitted=true":                  1,
			"fairlead.mqtt.connects outcome=accepted":                  2,
			"fairlead.mqtt.connects outcome=bad user name or password": 1,
			"fairlead.mqtt.connects outcome=connection rate exceeded":  1,
			"fairlead.mqtt.connects outcome=no connect":                1,
			"fairlead.mqtt.malformed reason=protocol error":            1,
			"fairlead.mqtt.packets type=CONNECT":                       4,
			"fairlead.mqtt.packets type=CONNACK":                       1,
			"fairlead.mqtt.packets type=PUBLISH":                       1,
		}
		if diff := cmp.Diff(want, since(start, collect(t, reader))); diff != "" {
			t.Error(diff)
		}
	})
}
