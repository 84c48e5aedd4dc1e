package mqtt

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

type discard struct{}

func (discard) Write(_ context.Context, _ *kgo.Record, done func(error)) { done(nil) }

// BenchmarkPublish is what a message costs between the connection loop and Kafka's client.
func BenchmarkPublish(b *testing.B) {
	f := newFixture(nil)
	f.pipeline = ingest.New(ingest.DefaultConfig(), discard{})
	s, err := logIn(b.Context(), f.Gateway, newPeer(), login())
	if err != nil {
		b.Fatal(err)
	}
	g := func(name string, p packet.Publish) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Publish(&p, func(a protocol.Answer) {
					if a.Reason != packet.Success {
						b.Fatal(a.Reason)
					}
				})
			}
		})
	}
	payload := make([]byte, 100)
	g("own", packet.Publish{Topic: "temp", ContentType: "application/octet-stream", Payload: payload})
	g("on behalf", packet.Publish{Topic: "temp/other", ContentType: "application/octet-stream", Payload: payload})
	g("extensions", packet.Publish{
		Topic: "temp", ContentType: "application/octet-stream", Payload: payload,
		UserProperties: packet.UserProperties{}.Append("one", "1").Append("two", "2").Append("Not-Legal", "3"),
	})
}
