package packet

import (
	"bytes"
	"testing"
)

// telemetry is a message as devices send it: 256 bytes, QoS 1, to a short topic.
func telemetry() *Publish {
	return &Publish{QoS: 1, Topic: "temperature/kitchen", PacketID: 7, Payload: bytes.Repeat([]byte("x"), 256)}
}

// attributed is the same with every property that a client may send, user properties among them.
func attributed() *Publish {
	p := telemetry()
	p.PayloadFormat, p.HasMessageExpiry, p.MessageExpiry = 1, true, 60
	p.ContentType, p.ResponseTopic, p.CorrelationData, p.TopicAlias = "text/plain", "answers/7", []byte("abc"), 3
	p.UserProperties = p.UserProperties.Append("room", "kitchen").Append("unit", "°C")
	return p
}

func BenchmarkPublishDecode(b *testing.B) {
	f := func(name string, p *Publish, v Version) {
		b.Run(name, func(b *testing.B) {
			raw := p.Append(nil, v)
			var got Publish
			b.ReportAllocs()
			for b.Loop() {
				h, n, err := ParseHeader(raw)
				if err != nil || h.Type != PUBLISH {
					b.Fatal(h, err)
				}
				if err := got.Decode(h.Flags, raw[n:n+h.Length], v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("3.1.1", telemetry(), V311)
	f("5", telemetry(), V5)
	f("5 with all properties", attributed(), V5)
}

func BenchmarkPublishAppend(b *testing.B) {
	f := func(name string, p *Publish, v Version) {
		b.Run(name, func(b *testing.B) {
			var raw []byte
			b.ReportAllocs()
			for b.Loop() {
				raw = p.Append(raw[:0], v)
			}
		})
	}
	f("3.1.1", telemetry(), V311)
	f("5", telemetry(), V5)
	f("5 with all properties", attributed(), V5)
}

func BenchmarkPubackAppend(b *testing.B) {
	var raw []byte
	b.ReportAllocs()
	for b.Loop() {
		raw = AppendPuback(raw[:0], V5, 7, Success, "")
	}
}
