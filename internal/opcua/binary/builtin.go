package binary

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// A StatusCode is the result of a service or the quality of a value.
type StatusCode uint32

// A GUID is a Guid, in the order in which it is written as text.
type GUID [16]byte

// XMLElement is a piece of XML as text.
type XMLElement string

// A NodeID identifies a node at one server, for as long as that keeps its namespaces. It can be compared.
type NodeID struct {
	Namespace uint16
	Kind      byte // 'i', 's', 'g' or 'b'; 0 is 'i'
	Number    uint32
	Text      string // the identifier if Kind is 's', and its bytes if it is 'b'
	GUID      GUID
}

// Numeric is a node of the standard namespace.
func Numeric(n uint32) NodeID { return NodeID{Kind: 'i', Number: n} }

// IsNull tells whether it is the null NodeId.
func (n NodeID) IsNull() bool { return n == NodeID{} || n == NodeID{Kind: 'i'} }

// An ExpandedNodeID is a NodeID whose namespace may be given by its URI, perhaps at another server.
type ExpandedNodeID struct {
	NodeID
	URI    string
	Server uint32
}

// A QualifiedName is a name with the index of a namespace.
type QualifiedName struct {
	Namespace uint16
	Name      string
}

// A LocalizedText is a text for people.
type LocalizedText struct{ Locale, Text string }

// The encodings of the body of an ExtensionObject.
const (
	BodyNone   = 0
	BodyBinary = 1
	BodyXML    = 2
)

// An ExtensionObject is a structure of the type that a NodeId of an encoding names. The body stays as it is.
type ExtensionObject struct {
	Type     ExpandedNodeID
	Encoding byte
	Body     []byte
}

// A DataValue is a value with quality and times.
type DataValue struct {
	Value                                Variant
	Status                               StatusCode
	SourceTime, ServerTime               time.Time
	SourcePicoseconds, ServerPicoseconds uint16
	HasValue                             bool
}

// A DiagnosticInfo is what a server tells about an error.
type DiagnosticInfo struct {
	SymbolicID, NamespaceURI, Locale, LocalizedText *int32
	AdditionalInfo                                  *string
	InnerStatus                                     *StatusCode
	Inner                                           *DiagnosticInfo
}

// ParseGUID reads a GUID with its hyphens.
func ParseGUID(s string) (g GUID, err error) {
	digits := strings.ReplaceAll(s, "-", "")
	if len(s) != 36 || len(digits) != 32 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, errors.New("a GUID is 8-4-4-4-12 hexadecimal digits")
	}
	_, err = hex.Decode(g[:], []byte(digits))
	return g, err
}

// String is the GUID in lower case.
func (g GUID) String() string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// swapped is the GUID with the order of bytes that the encoding has instead of that of the text, and back.
func (g GUID) swapped() GUID {
	return GUID{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

func (r *Reader) guid() (g GUID) {
	copy(g[:], r.take(len(g)))
	return g.swapped()
}

func (w *Writer) guid(g GUID) {
	g = g.swapped()
	w.b = append(w.b, g[:]...)
}

// The encodings of a NodeId, and flags of an ExpandedNodeId.
const (
	nodeTwoByte  = 0
	nodeFourByte = 1
	nodeNumeric  = 2
	nodeString   = 3
	nodeGUID     = 4
	nodeBytes    = 5

	nodeHasServer = 0x40
	nodeHasURI    = 0x80
)

// NodeID reads a NodeId.
func (r *Reader) NodeID() NodeID { return r.nodeID(r.Byte()) }

func (r *Reader) nodeID(encoding byte) (n NodeID) {
	n.Kind = 'i'
	switch encoding &^ (nodeHasServer | nodeHasURI) {
	case nodeTwoByte:
		n.Number = uint32(r.Byte())
	case nodeFourByte:
		n.Namespace = uint16(r.Byte())
		n.Number = uint32(r.Uint16())
	case nodeNumeric:
		n.Namespace = r.Uint16()
		n.Number = r.Uint32()
	case nodeString:
		n.Kind, n.Namespace, n.Text = 's', r.Uint16(), r.String()
	case nodeGUID:
		n.Kind, n.Namespace, n.GUID = 'g', r.Uint16(), r.guid()
	case nodeBytes:
		n.Kind, n.Namespace, n.Text = 'b', r.Uint16(), r.String()
	default:
		r.Malformed("NodeId encoding %#x", encoding)
	}
	return n
}

// ExpandedNodeID reads an ExpandedNodeId.
func (r *Reader) ExpandedNodeID() (n ExpandedNodeID) {
	encoding := r.Byte()
	n.NodeID = r.nodeID(encoding)
	if encoding&nodeHasURI != 0 {
		n.URI = r.String()
	}
	if encoding&nodeHasServer != 0 {
		n.Server = r.Uint32()
	}
	return n
}

// NodeID writes a NodeId.
func (w *Writer) NodeID(n NodeID) { w.nodeID(n, 0) }

func (w *Writer) nodeID(n NodeID, flags byte) {
	switch {
	case n.Kind == 's' || n.Kind == 'b':
		encoding := byte(nodeString)
		if n.Kind == 'b' {
			encoding = nodeBytes
		}
		w.Byte(encoding | flags)
		w.Uint16(n.Namespace)
		w.text(n.Text)
	case n.Kind == 'g':
		w.Byte(nodeGUID | flags)
		w.Uint16(n.Namespace)
		w.guid(n.GUID)
	case n.Namespace == 0 && n.Number < 1<<8:
		w.Byte(nodeTwoByte | flags)
		w.Byte(byte(n.Number))
	case n.Namespace < 1<<8 && n.Number < 1<<16:
		w.Byte(nodeFourByte | flags)
		w.Byte(byte(n.Namespace))
		w.Uint16(uint16(n.Number))
	default:
		w.Byte(nodeNumeric | flags)
		w.Uint16(n.Namespace)
		w.Uint32(n.Number)
	}
}

// ExpandedNodeID writes an ExpandedNodeId.
func (w *Writer) ExpandedNodeID(n ExpandedNodeID) {
	var flags byte
	if n.URI != "" {
		flags |= nodeHasURI
	}
	if n.Server != 0 {
		flags |= nodeHasServer
	}
	w.nodeID(n.NodeID, flags)
	if n.URI != "" {
		w.text(n.URI)
	}
	if n.Server != 0 {
		w.Uint32(n.Server)
	}
}

// QualifiedName reads a QualifiedName.
func (r *Reader) QualifiedName() QualifiedName {
	return QualifiedName{Namespace: r.Uint16(), Name: r.String()}
}

// QualifiedName writes a QualifiedName.
func (w *Writer) QualifiedName(q QualifiedName) {
	w.Uint16(q.Namespace)
	w.String(q.Name)
}

// LocalizedText reads a LocalizedText.
func (r *Reader) LocalizedText() (t LocalizedText) {
	mask := r.Byte()
	if mask&1 != 0 {
		t.Locale = r.String()
	}
	if mask&2 != 0 {
		t.Text = r.String()
	}
	return t
}

// LocalizedText writes a LocalizedText.
func (w *Writer) LocalizedText(t LocalizedText) {
	var mask byte
	if t.Locale != "" {
		mask |= 1
	}
	if t.Text != "" {
		mask |= 2
	}
	w.Byte(mask)
	if t.Locale != "" {
		w.text(t.Locale)
	}
	if t.Text != "" {
		w.text(t.Text)
	}
}

// ExtensionObject reads an ExtensionObject.
func (r *Reader) ExtensionObject() (e ExtensionObject) {
	e.Type = r.ExpandedNodeID()
	e.Encoding = r.Byte()
	switch e.Encoding {
	case BodyNone:
	case BodyBinary, BodyXML:
		e.Body = r.Bytes()
	default:
		r.Malformed("ExtensionObject encoding %#x", e.Encoding)
	}
	return e
}

// ExtensionObject writes an ExtensionObject.
func (w *Writer) ExtensionObject(e ExtensionObject) {
	w.ExpandedNodeID(e.Type)
	w.Byte(e.Encoding)
	if e.Encoding != BodyNone {
		w.ByteString(e.Body)
	}
}

// The fields of a DataValue that are present.
const (
	hasValue             = 0x01
	hasStatus            = 0x02
	hasSourceTime        = 0x04
	hasServerTime        = 0x08
	hasSourcePicoseconds = 0x10
	hasServerPicoseconds = 0x20
)

// DataValue reads a DataValue.
func (r *Reader) DataValue() (d DataValue) {
	if !r.Enter() {
		return d
	}
	defer r.Leave()
	mask := r.Byte()
	if d.HasValue = mask&hasValue != 0; d.HasValue {
		d.Value = r.Variant()
	}
	if mask&hasStatus != 0 {
		d.Status = StatusCode(r.Uint32())
	}
	if mask&hasSourceTime != 0 {
		d.SourceTime = r.Time()
	}
	if mask&hasSourcePicoseconds != 0 {
		d.SourcePicoseconds = r.Uint16()
	}
	if mask&hasServerTime != 0 {
		d.ServerTime = r.Time()
	}
	if mask&hasServerPicoseconds != 0 {
		d.ServerPicoseconds = r.Uint16()
	}
	return d
}

// DataValue writes a DataValue.
func (w *Writer) DataValue(d DataValue) {
	at := len(w.b)
	w.Byte(0)
	var mask byte
	field := func(present bool, flag byte, write func()) {
		if present {
			mask |= flag
			write()
		}
	}
	field(d.HasValue, hasValue, func() { w.Variant(d.Value) })
	field(d.Status != 0, hasStatus, func() { w.Uint32(uint32(d.Status)) })
	field(!d.SourceTime.IsZero(), hasSourceTime, func() { w.Time(d.SourceTime) })
	field(d.SourcePicoseconds != 0, hasSourcePicoseconds, func() { w.Uint16(d.SourcePicoseconds) })
	field(!d.ServerTime.IsZero(), hasServerTime, func() { w.Time(d.ServerTime) })
	field(d.ServerPicoseconds != 0, hasServerPicoseconds, func() { w.Uint16(d.ServerPicoseconds) })
	w.b[at] = mask
}

// DiagnosticInfo reads a DiagnosticInfo.
func (r *Reader) DiagnosticInfo() (d DiagnosticInfo) {
	if !r.Enter() {
		return d
	}
	defer r.Leave()
	mask := r.Byte()
	number := func(flag byte) *int32 {
		if mask&flag == 0 {
			return nil
		}
		n := int32(r.Uint32())
		return &n
	}
	d.SymbolicID, d.NamespaceURI, d.Locale, d.LocalizedText = number(0x01), number(0x02), number(0x08), number(0x04)
	if mask&0x10 != 0 {
		s := r.String()
		d.AdditionalInfo = &s
	}
	if mask&0x20 != 0 {
		s := StatusCode(r.Uint32())
		d.InnerStatus = &s
	}
	const size = 64
	if mask&0x40 != 0 && r.Charge(size) {
		inner := r.DiagnosticInfo()
		d.Inner = &inner
	}
	return d
}

// DiagnosticInfo writes a DiagnosticInfo.
func (w *Writer) DiagnosticInfo(d DiagnosticInfo) {
	at := len(w.b)
	w.Byte(0)
	var mask byte
	number := func(n *int32, flag byte) {
		if n != nil {
			mask |= flag
			w.Uint32(uint32(*n))
		}
	}
	number(d.SymbolicID, 0x01)
	number(d.NamespaceURI, 0x02)
	number(d.Locale, 0x08)
	number(d.LocalizedText, 0x04)
	if d.AdditionalInfo != nil {
		mask |= 0x10
		w.text(*d.AdditionalInfo)
	}
	if d.InnerStatus != nil {
		mask |= 0x20
		w.Uint32(uint32(*d.InnerStatus))
	}
	if d.Inner != nil {
		mask |= 0x40
		w.DiagnosticInfo(*d.Inner)
	}
	w.b[at] = mask
}
