package mqtt

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/meter"
)

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
	counted := meter.Read(t)
	start := counted.Counts() // what servers of other tests have counted
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
		if diff := cmp.Diff(want, since(start, counted.Counts())); diff != "" {
			t.Error(diff)
		}
	})
}
