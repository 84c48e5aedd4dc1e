package registry

import "errors"

// A Dialect says how a device's MQTT topics are read.
type Dialect byte

// The dialects.
const (
	// DrogueV1 reads <channel>, or <channel>/<device> on behalf of another device. It is what applies if nobody says
	// anything.
	DrogueV1 Dialect = iota
	// PlainTopic takes the whole topic as the channel.
	PlainTopic
	// PlainTopicWithDevice reads <device>/<channel…>; an empty device is the connected one.
	PlainTopicWithDevice
)

// MQTT is the section "mqtt" of applications and devices.
type MQTT struct {
	Dialect Dialect `json:"dialect"`
}

var errDialect = errors.New("a dialect has the type drogue/v1 or plainTopic")

// UnmarshalJSON reads {"type":"drogue/v1"} or {"type":"plainTopic","devicePrefix":…}, where devicePrefix may be absent.
func (d *Dialect) UnmarshalJSON(b []byte) error {
	var object *struct {
		Type         string `json:"type"`
		DevicePrefix bool   `json:"devicePrefix"`
	}
	if unmarshal(b, &object) != nil || object == nil {
		return errDialect
	}
	switch {
	case object.Type == "drogue/v1":
		*d = DrogueV1
	case object.Type == "plainTopic" && object.DevicePrefix:
		*d = PlainTopicWithDevice
	case object.Type == "plainTopic":
		*d = PlainTopic
	default:
		return errDialect
	}
	return nil
}

// DialectOf is the dialect of the device's section "mqtt" or, if it has none, of its application's. The sections are not
// merged: one without a dialect means DrogueV1. A section that does not parse is an error.
func DialectOf(a *Application, d *Device) (Dialect, error) {
	for _, spec := range []Sections{d.Spec, a.Spec} {
		section, ok, err := Decode[MQTT](spec, SectionMQTT)
		if ok || err != nil {
			return section.Dialect, err
		}
	}
	return DrogueV1, nil
}
