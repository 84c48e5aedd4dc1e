package opcua

import (
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A Status is an OPC UA status code: the quality of a value, or the result of what was asked for. It is an error, whose text is
// the symbolic name, such as "BadNodeIdUnknown".
type Status = binary.StatusCode

// A DataValue is a value with its quality and times.
type DataValue struct {
	Value                  Variant
	Status                 Status
	SourceTime, ServerTime time.Time // zero: not given
}

func (s *space) dataValue(d *binary.DataValue) DataValue {
	return DataValue{Value: Variant{d.Value, s}, Status: d.Status, SourceTime: d.SourceTime, ServerTime: d.ServerTime}
}

// A Variant is a value of a built-in type, or an array or matrix of such. The zero value is null.
type Variant struct {
	v binary.Variant
	s *space // of the connection that it comes from, which knows namespaces and structures
}

// IsNull tells whether there is no value.
func (v Variant) IsNull() bool { return v.v.Type == binary.TypeNull }

// Type is the name of the built-in type, such as "Double", "Double[]" or "Double[][]"; a structure has the name of its data type
// if the server has told it, and null is "Null".
func (v Variant) Type() string {
	name := v.v.Type.String()
	if v.v.Type == binary.TypeExtensionObject {
		if known := v.structure(); known != nil {
			name = known.name
		}
	}
	switch {
	case !v.v.Array:
		return name
	case len(v.v.Dims) > 1:
		return name + strings.Repeat("[]", len(v.v.Dims))
	default:
		return name + "[]"
	}
}

// structure is what is known of the type of a structure, or of the first one in an array.
func (v Variant) structure() *structure {
	switch x := v.v.Value.(type) {
	case binary.ExtensionObject:
		return v.s.structure(x.Type)
	case []binary.ExtensionObject:
		if len(x) > 0 {
			return v.s.structure(x[0].Type)
		}
	case *object:
		return x.of
	case []*object:
		if len(x) > 0 {
			return x[0].of
		}
	}
	return nil
}

// Float is the value of a scalar number.
func (v Variant) Float() (float64, bool) {
	switch x := v.v.Value.(type) {
	case int8:
		return float64(x), true
	case byte:
		return float64(x), true
	case int16:
		return float64(x), true
	case uint16:
		return float64(x), true
	case int32:
		return float64(x), true
	case uint32:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case float32:
		return float64(x), true
	case float64:
		return x, true
	default:
		return 0, false
	}
}

// Text is the value of a scalar String, LocalizedText, QualifiedName or XmlElement.
func (v Variant) Text() (string, bool) {
	switch x := v.v.Value.(type) {
	case string:
		return x, true
	case binary.LocalizedText:
		return x.Text, true
	case binary.QualifiedName:
		return x.Name, true
	case binary.XMLElement:
		return string(x), true
	default:
		return "", false
	}
}

// Bool is the value of a scalar Boolean.
func (v Variant) Bool() (value, ok bool) {
	value, ok = v.v.Value.(bool)
	return value, ok
}

// Time is the value of a scalar DateTime.
func (v Variant) Time() (time.Time, bool) {
	t, ok := v.v.Value.(time.Time)
	return t, ok
}

// Bytes is the value of a scalar ByteString.
func (v Variant) Bytes() ([]byte, bool) {
	if v.v.Array {
		return nil, false
	}
	b, ok := v.v.Value.([]byte)
	return b, ok
}

// Node is the value of a scalar NodeId.
func (v Variant) Node() (NodeRef, bool) {
	switch x := v.v.Value.(type) {
	case binary.NodeID:
		return v.s.ref(x), true
	case binary.ExpandedNodeID:
		return v.s.expanded(x), true
	default:
		return NodeRef{}, false
	}
}

// Field is a field of a scalar structure, such as "Low" of an EURange; null if there is none.
func (v Variant) Field(name string) Variant {
	o, _ := v.v.Value.(*object)
	if e, ok := v.v.Value.(binary.ExtensionObject); ok {
		o = v.s.open(e)
	}
	if o != nil {
		for _, m := range o.members {
			if m.name == name {
				return Variant{m.value, v.s}
			}
		}
	}
	return Variant{}
}
