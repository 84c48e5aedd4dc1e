package mqtt

import (
	"encoding/binary"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// bridgeVariant is the bit that mosquitto as a bridge adds to the protocol level.
const bridgeVariant = 0x80

// answerVersion finds the version in which the client of a broken CONNECT can be answered, or 0: then it cannot. b begins with the
// fixed header.
func answerVersion(b []byte) packet.Version {
	h, n, err := packet.ParseHeader(b)
	if err != nil || n == 0 || h.Type != packet.CONNECT {
		return 0
	}
	return answerVersionOfBody(b[n:])
}

// answerVersionOfBody is answerVersion for what follows the fixed header. Whatever comes after version 5 is answered like version 5, and
// what came before 3.1.1 like 3.1.1, as that specification allows (section 3.1.2.2 of both). mosquitto as a bridge first asks for
// its own variant, level 0x84, and for 3.1.1 once it reads in the words of 3.1.1 that there is none.
func answerVersionOfBody(body []byte) packet.Version {
	if len(body) < 2 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(body))
	if len(body) < 2+n+1 {
		return 0
	}
	name, level := string(body[2:2+n]), body[2+n]&^bridgeVariant
	switch {
	case name == "MQIsdp", name == "MQTT" && level <= byte(packet.V311):
		return packet.V311
	case name == "MQTT":
		return packet.V5
	default:
		return 0
	}
}
