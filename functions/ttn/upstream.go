package ttn

import (
	"encoding/json"
	"strconv"

	"github.com/fairlead/fairlead/internal/registry"
)

// Names of the extensions that a message can carry.
const (
	ExtensionPort  = "lorawanport"   // LoRaWAN port (FPort), decimal
	ExtensionRetry = "lorawanretry"  // v2 only: whether the frame is a repetition, "true" or "false"
	ExtensionHW    = "hwaddr"        // v2: hardware serial; v3: device address
	ExtensionEUI   = "lorawandeveui" // the device's EUI
	ExtensionCount = "lorawanfcnt"   // frame counter, decimal
)

// maxExtension bounds the value of an extension that comes from a text in the body, in bytes. The longest that a stack
// sends is an EUI of 16 hexadecimal digits.
const maxExtension = 64

// An Upstream is one message that came up from the network, whichever stack sent it.
type Upstream struct {
	Kind   Kind
	Device string // what the network calls the device; a valid device name
	// Port is the LoRaWAN port of an uplink, normalized or not; 0 for every other kind.
	Port uint16
	// Payload is the frame's payload, for uplinks (normalized ones too). It may be empty.
	Payload []byte
	// Fields is what the network decoded from the payload, as JSON; nil if it decoded nothing.
	Fields json.RawMessage
	// Extensions are the CloudEvents extensions: each value is printable ASCII.
	Extensions map[string]string
}

// Subject is the subject of the event: the port of an uplink in decimal, a fixed text for each other kind.
func (u *Upstream) Subject() string {
	if u.Kind == Uplink {
		return strconv.Itoa(int(u.Port))
	}
	return u.Kind.subject()
}

// Type is the type of the event.
func (u *Upstream) Type() string { return u.Kind.eventType() }

// framed tells whether the message carries a frame of the device, from which payload or fields can be picked.
func (u *Upstream) framed() bool { return u.Kind == Uplink || u.Kind == UplinkNormalized }

// mark sets an extension, or leaves it out when the value is not fit for one: a message is worth more than a mark on it.
func (u *Upstream) mark(name, value string) {
	if value == "" || len(value) > maxExtension {
		return
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return
		}
	}
	if u.Extensions == nil {
		u.Extensions = make(map[string]string, 5)
	}
	u.Extensions[name] = value
}

// markNumber sets an extension from a member that is a number. It is left out if the member is absent or is none.
func (u *Upstream) markNumber(name string, from object, member string, limit uint64) {
	if number, ok, err := from.number(member, limit); ok && err == nil {
		u.mark(name, strconv.FormatUint(number, 10))
	}
}

// markText sets an extension from a member that is a text. It is left out if the member is absent or is none.
func (u *Upstream) markText(name string, from object, member string) {
	if text, err := from.text(member); err == nil {
		u.mark(name, text)
	}
}

// setDevice takes the device's name from a member; path is what a refusal calls it.
func (u *Upstream) setDevice(from object, member, path string) error {
	name, err := from.text(member)
	if err != nil {
		return malformed(path + " is not a text")
	}
	if name == "" {
		return malformed(path + " is missing")
	}
	if err := registry.ValidateDeviceName(name); err != nil {
		return malformed(path + ": " + err.Error())
	}
	u.Device = name
	return nil
}

// setFrame takes port, payload and fields of an uplink. Absent members are zero, as in the stack's own encoding.
func (u *Upstream) setFrame(from object, port, payload, fields string) error {
	number, _, err := from.number(port, 1<<16-1)
	if err != nil {
		return malformed(port + " is not a number from 0 to 65535")
	}
	text, err := from.text(payload)
	if err != nil {
		return malformed(payload + " is not a text")
	}
	raw, err := decodeBase64(text)
	if err != nil {
		return malformed(payload + " is not base64")
	}
	u.Port, u.Payload, u.Fields = uint16(number), raw, from.member(fields)
	u.mark(ExtensionPort, strconv.FormatUint(number, 10))
	return nil
}
