package packet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An owner is a place for properties in what a client sends.
type owner struct {
	name  string
	kind  Type
	flags byte
	with  func(properties []byte) []byte // a body that is well-formed, if the properties are
}

// owners are all that section 2.2.2.2 names. AUTH always needs its method, and so has that in front of the others.
func owners() []owner {
	return []owner{
		{"CONNECT", CONNECT, 0, func(b []byte) []byte { return connect(V5, 0x02, b, "c") }},
		{"will", CONNECT, 0, func(b []byte) []byte { return connect(V5, 0x06, props(), "c", b, "w", "x") }},
		{"PUBLISH", PUBLISH, 0, func(b []byte) []byte { return raw("t", b, []byte("payload")) }},
		{"PUBACK", PUBACK, 0, func(b []byte) []byte { return raw(uint16(1), 0x10, b) }},
		{"PUBREC", PUBREC, 0, func(b []byte) []byte { return raw(uint16(1), 0x00, b) }},
		{"PUBREL", PUBREL, 2, func(b []byte) []byte { return raw(uint16(1), 0x92, b) }},
		{"PUBCOMP", PUBCOMP, 0, func(b []byte) []byte { return raw(uint16(1), 0x00, b) }},
		{"SUBSCRIBE", SUBSCRIBE, 2, func(b []byte) []byte { return raw(uint16(1), b, "t", 0) }},
		{"UNSUBSCRIBE", UNSUBSCRIBE, 2, func(b []byte) []byte { return raw(uint16(1), b, "t") }},
		{"DISCONNECT", DISCONNECT, 0, func(b []byte) []byte { return raw(0x00, b) }},
		{"AUTH", AUTH, 0, func(b []byte) []byte { return raw(0x18, int(b[0])+4, 0x15, "m", b[1:]) }},
	}
}

// A row is a row of the table of section 2.2.2.2.
type row struct {
	id     int
	value  []byte // a valid one
	owners string
}

// rows are the table. What only a server sends, or a client not there, has no owners.
func rows() []row {
	return []row{
		{0x01, raw(1), "PUBLISH will"},
		{0x02, raw(uint32(1)), "PUBLISH will"},
		{0x03, raw("x"), "PUBLISH will"},
		{0x08, raw("x"), "PUBLISH will"},
		{0x09, raw("x"), "PUBLISH will"},
		{0x0B, raw(1), "SUBSCRIBE"},
		{0x11, raw(uint32(1)), "CONNECT DISCONNECT"},
		{0x12, raw("x"), ""},
		{0x13, raw(uint16(1)), ""},
		{0x15, raw("x"), "CONNECT AUTH"},
		{0x16, raw("x"), "CONNECT AUTH"},
		{0x17, raw(1), "CONNECT"},
		{0x18, raw(uint32(1)), "will"},
		{0x19, raw(1), "CONNECT"},
		{0x1A, raw("x"), ""},
		{0x1C, raw("x"), ""},
		{0x1F, raw("x"), "PUBACK PUBREC PUBREL PUBCOMP DISCONNECT AUTH"},
		{0x21, raw(uint16(1)), "CONNECT"},
		{0x22, raw(uint16(1)), "CONNECT"},
		{0x23, raw(uint16(1)), "PUBLISH"},
		{0x24, raw(1), ""},
		{0x25, raw(1), ""},
		{0x26, raw("x", "y"), "CONNECT will PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE UNSUBSCRIBE DISCONNECT AUTH"},
		{0x27, raw(uint32(1)), "CONNECT"},
		{0x28, raw(1), ""},
		{0x29, raw(1), ""},
		{0x2A, raw(1), ""},
	}
}

// TestPropertyTable tries every property in every packet: once, twice, cut, and longer than the properties say.
func TestPropertyTable(t *testing.T) {
	for _, o := range owners() {
		check := checker(t, o.kind)
		f := func(what string, properties []byte, want Reason) {
			t.Helper()
			check(o.name+": "+what, o.flags, o.with(properties), V5, want)
		}
		f("no property", props(), Success)
		known := map[int]bool{}
		for _, r := range rows() {
			known[r.id] = true
			name := fmt.Sprintf("property %#x", r.id)
			if !slices.Contains(strings.Fields(r.owners), o.name) {
				f(name, props(r.id, r.value), misplaced(o.name, r.id))
				continue
			}
			once, twice := Success, ProtocolError
			switch {
			case r.id == 0x26:
				twice = Success
			case o.name == "AUTH" && r.id == 0x15: // its second one
				once = ProtocolError
			case o.name == "CONNECT" && r.id == 0x16: // without a method
				once = ProtocolError
			}
			f(name, props(r.id, r.value), once)
			f(name+" twice", props(r.id, r.value, r.id, r.value), twice)
			for cut := range r.value {
				if once == Success {
					f(fmt.Sprintf("%s cut to %d bytes", name, cut), props(r.id, r.value[:cut]), MalformedPacket)
				}
			}
		}
		for id := range 256 {
			if !known[id] {
				f(fmt.Sprintf("property %#x, which does not exist", id), props(id, 1), MalformedPacket)
			}
		}
	}
}

// misplaced is the reason for a property where it does not belong: a malformed packet (section 2.2.2.2), unless it belongs
// to the packet but not to a client.
func misplaced(owner string, id int) Reason {
	if owner == "PUBLISH" && id == 0x0B || owner == "DISCONNECT" && id == 0x1C {
		return ProtocolError
	}
	return MalformedPacket
}

// TestPropertyLength is about the length in front of the properties.
func TestPropertyLength(t *testing.T) {
	check := checker(t, PUBLISH)
	f := func(what string, want Reason, parts ...any) {
		t.Helper()
		check(what, 0, raw("t", raw(parts...)), V5, want)
	}
	f("none", MalformedPacket)
	f("longer than the packet", MalformedPacket, 4, 0x01, 1)
	f("longer than a packet can be", MalformedPacket, 0xFF, 0xFF, 0xFF, 0x7F)
	f("of five bytes", MalformedPacket, 0x80, 0x80, 0x80, 0x80, 0x01)
	f("0 in two bytes", MalformedPacket, 0x80, 0x00)
	f("2 in three bytes", MalformedPacket, 0x82, 0x80, 0x00, 0x01, 1)
	f("cut", MalformedPacket, 0x80)
	f("ends within an integer", MalformedPacket, 3, 0x02, uint32(1))
	f("ends within a string", MalformedPacket, 4, 0x03, "xyz")
	f("ends within the name of a user property", MalformedPacket, 3, user("x", "y"))
	f("ends after the name of a user property", MalformedPacket, 4, user("x", "y"))
	f("of two bytes", Success, 0x86, 0x01, user("n", strings.Repeat("v", 128)))
}
