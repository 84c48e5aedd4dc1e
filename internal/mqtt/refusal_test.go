package mqtt

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

func TestPublishText(t *testing.T) {
	f := func(v packet.Version, qos byte, a Answer, closes bool, want string) {
		t.Helper()
		c := Config{CloseOnRefusal: closes}
		if got := c.PublishText(v, qos, a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	forbidden, large := Answer{Reason: packet.NotAuthorized, Final: true}, Answer{Reason: packet.PacketTooLarge, Final: true}
	f(packet.V5, 0, forbidden, false, "no answer")
	f(packet.V5, 1, forbidden, true, "PUBACK 0x87")
	f(packet.V311, 1, large, false, "PUBACK, not stored")
	f(packet.V311, 1, large, true, "connection closed")
	f(packet.V311, 1, forbidden, false, "PUBACK, not stored")
	f(packet.V311, 1, forbidden, true, "connection closed")
	f(packet.V311, 1, Answer{Reason: packet.ImplementationSpecificError}, false, "connection closed")
}

// What breaks the protocol is reported with the words that the client was told.
func TestBrokenIsReported(t *testing.T) {
	f := func(v packet.Version, sent []byte, want refusal.Report) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			reports := make(chan refusal.Report, 1)
			w.server.OnBroken(func(b Broken) { reports <- b.Report() })
			c, _ := w.admitted(v)
			c.send(sent)
			want.Protocol, want.Where, want.Remote = refusal.MQTT, "connection", "pipe"
			if diff := cmp.Diff(want, <-reports); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	twice := hello{version: packet.V5, flags: 2, id: "again"}.bytes()
	f(packet.V5, twice, refusal.Report{Outcome: outcome.Invalid, Answer: "DISCONNECT 0x82", Reason: "there has been a CONNECT before"})
	f(packet.V311, twice, refusal.Report{Outcome: outcome.Invalid, Answer: "connection closed", Reason: "there has been a CONNECT before"})
	large := frame(0x32, text("t"), number(1), make([]byte, DefaultConfig().MaxPacket))
	f(packet.V5, large[:64], refusal.Report{Outcome: outcome.TooLarge, Answer: "DISCONNECT 0x95", Reason: "the packet is larger than the server allows"})
}
