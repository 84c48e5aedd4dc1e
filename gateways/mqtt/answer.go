package mqtt

import (
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// answerOf says what became of a message in the words of the protocol.
func answerOf(r outcome.Result) protocol.Answer {
	return protocol.Answer{Reason: packet.Reason(r.Outcome.MQTT5()), Text: textOf(r), Final: r.Outcome.Final()}
}

// textOf is the reason string: every refusal has one.
func textOf(r outcome.Result) string {
	switch {
	case r.Reason != "" || r.Outcome.Good():
		return r.Reason
	case r.Outcome == outcome.Forbidden:
		return "this device may not publish in the name of that one"
	default:
		return "the message could not be stored"
	}
}

// refusalOf says why a CONNECT is refused for what it publishes: its will. Version 5 has the same words for that in CONNACK
// as in PUBACK, and one more.
func refusalOf(r outcome.Result) *protocol.Refusal {
	reason := packet.Reason(r.Outcome.MQTT5())
	if r.Outcome == outcome.TooLarge {
		reason = packet.PacketTooLarge
	}
	return &protocol.Refusal{Reason: reason, Return: r.Outcome.Connack3(), Text: r.Reason}
}

// misconfigured refuses a device whose registry document cannot be followed. To a client of version 3.1.1 the server is
// unavailable, since its own credential is right and the document may be mended.
func misconfigured() *protocol.Refusal {
	return &protocol.Refusal{
		Reason: packet.ImplementationSpecificError,
		Return: outcome.Unavailable.Connack3(),
		Text:   "the section mqtt of the device or its application cannot be read",
	}
}
