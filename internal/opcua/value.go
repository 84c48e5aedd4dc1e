package opcua

import (
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

// A Variant is a value of a built-in type, or an array or matrix of such. The zero value is null.
type Variant struct {
	v binary.Variant
	s *space // of the connection that it comes from, which knows namespaces and structures
}

// IsNull tells whether there is no value.
func (v Variant) IsNull() bool { return v.v.Type == binary.TypeNull }

// Type is the name of the built-in type, such as "Double", "Double[]" or "Double[][]"; a structure has the name of its data type
// if the server has told it, and null is "Null".
func (v Variant) Type() string { return "" }

// Float is the value of a scalar number.
func (v Variant) Float() (float64, bool) { return 0, false }

// Text is the value of a scalar String, LocalizedText, QualifiedName or XmlElement.
func (v Variant) Text() (string, bool) { return "", false }

// Time is the value of a scalar DateTime.
func (v Variant) Time() (time.Time, bool) { return time.Time{}, false }

// Bytes is the value of a scalar ByteString.
func (v Variant) Bytes() ([]byte, bool) { return nil, false }

// Node is the value of a scalar NodeId.
func (v Variant) Node() (NodeRef, bool) { return NodeRef{}, false }

// Field is a field of a scalar structure, such as "Low" of an EURange; null if there is none.
func (v Variant) Field(name string) Variant { return Variant{} }

// A Form is how a value is written in JSON (OPC 10000-6, 5.4).
type Form int

// The forms.
const (
	// Plain is the value alone: what most readers want. Types follow from elsewhere.
	Plain Form = iota
	// Reversible names the built-in type of each Variant ({"UaType", "Value"}), so that the value can be made again.
	Reversible
)

// AppendJSON appends the value in JSON. 64-bit integers are strings, and so are NaN and the infinities; a ByteString is
// base64; NodeIds and QualifiedNames have the URI of their namespace; structures are objects if the server has told their
// definition, otherwise their bytes in base64; matrices are arrays of arrays.
func (v Variant) AppendJSON(dst []byte, f Form) []byte { return append(dst, "null"...) }

type space struct{}
