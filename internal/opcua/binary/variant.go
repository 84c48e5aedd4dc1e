package binary

import (
	"fmt"
	"slices"
)

// A Type is a built-in type, by its number (OPC 10000-6, table 1).
type Type uint8

// The built-in types.
const (
	TypeNull Type = iota
	TypeBoolean
	TypeSByte
	TypeByte
	TypeInt16
	TypeUInt16
	TypeInt32
	TypeUInt32
	TypeInt64
	TypeUInt64
	TypeFloat
	TypeDouble
	TypeString
	TypeDateTime
	TypeGUID
	TypeByteString
	TypeXMLElement
	TypeNodeID
	TypeExpandedNodeID
	TypeStatusCode
	TypeQualifiedName
	TypeLocalizedText
	TypeExtensionObject
	TypeDataValue
	TypeVariant
	TypeDiagnosticInfo
)

var typeNames = [...]string{"Null", "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float",
	"Double", "String", "DateTime", "Guid", "ByteString", "XmlElement", "NodeId", "ExpandedNodeId", "StatusCode", "QualifiedName",
	"LocalizedText", "Structure", "DataValue", "Variant", "DiagnosticInfo"}

// String is the name of the type in the standard.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type%d", t)
}

// A Variant is a value of a built-in type, or an array of such. The zero value is null.
type Variant struct {
	Type  Type
	Array bool
	// Dims are the lengths of the dimensions of a matrix, whose elements lie in Value row by row; nil for everything else.
	Dims []int32
	// Value is a bool, int8, …, float64, string, time.Time, GUID, []byte, XMLElement, NodeID, ExpandedNodeID, StatusCode,
	// QualifiedName, LocalizedText, ExtensionObject, DataValue, *Variant or DiagnosticInfo. Of an array it is a slice of those,
	// and nil of a null array.
	Value any
}

// The flags of a Variant.
const (
	variantDims  = 0x40
	variantArray = 0x80
)

// Variant reads a Variant.
func (r *Reader) Variant() (v Variant) {
	if !r.Enter() {
		return v
	}
	defer r.Leave()
	mask := r.Byte()
	v.Type = Type(mask &^ (variantDims | variantArray))
	switch {
	case v.Type > TypeDiagnosticInfo && v.Type < 32:
		v.Type = TypeByteString // reserved numbers are read as this (OPC 10000-6, 5.2.2.16)
	case v.Type >= 32:
		r.Malformed("built-in type %d", v.Type)
		return Variant{}
	case v.Type == TypeNull:
		return Variant{}
	}
	const boxed = 32 // bytes of a scalar behind an interface, about
	if !r.Charge(boxed) {
		return Variant{}
	}
	codec := &codecs[v.Type]
	if v.Array = mask&variantArray != 0; !v.Array {
		v.Value = codec.read(r)
		return v
	}
	var count int
	v.Value, count = codec.readSlice(r)
	if mask&variantDims != 0 {
		v.Dims = r.dims(count)
	}
	return v
}

// dims reads the lengths of dimensions, whose product must be the number of elements.
func (r *Reader) dims(count int) []int32 {
	dims := r.lengths()
	if n, fits := volume(dims, count); r.err == nil && (!fits || n != count) {
		r.Malformed("a matrix of %d elements has dimensions %v", count, dims)
	}
	if len(dims) < 2 {
		return nil
	}
	return dims
}

// lengths reads the lengths of dimensions. A matrix is arrays within arrays, so there are as many at most as values may lie within
// each other.
func (r *Reader) lengths() []int32 {
	dims := Slice(r, func(r *Reader) int32 { return int32(r.Uint32()) })
	if len(dims) > maxNesting {
		r.fail(ErrLimits)
		return nil
	}
	return dims
}

// volume is how many elements a matrix has, if they are no more than most.
func volume(dims []int32, most int) (count int, fits bool) {
	product := int64(1)
	if slices.Contains(dims, 0) {
		product = 0
	}
	for _, d := range dims {
		if product *= int64(d); d < 0 || product > int64(most) {
			return 0, false
		}
	}
	return int(product), true
}

// Variant writes a Variant. Its value must be of the type that it names.
func (w *Writer) Variant(v Variant) {
	if v.Type == TypeNull || (v.Value == nil && !v.Array) {
		w.Byte(0)
		return
	}
	mask := byte(v.Type)
	if !v.Array {
		w.Byte(mask)
		codecs[v.Type].write(w, v.Value)
		return
	}
	mask |= variantArray
	if len(v.Dims) > 1 {
		mask |= variantDims
	}
	w.Byte(mask)
	if v.Value == nil {
		w.Uint32(null)
	} else {
		codecs[v.Type].writeSlice(w, v.Value)
	}
	if len(v.Dims) > 1 {
		WriteSlice(w, v.Dims, func(w *Writer, d int32) { w.Uint32(uint32(d)) })
	}
}

// A codec reads and writes the values of one built-in type.
type codec struct {
	read       func(*Reader) any
	readSlice  func(*Reader) (values any, count int)
	write      func(*Writer, any)
	writeSlice func(*Writer, any)
	makeSlice  func([]any) any
	count      func(values any) int
	element    func(values any, index int) any
}

func codecOf[T any](read func(*Reader) T, write func(*Writer, T)) codec {
	return codec{
		read: func(r *Reader) any { return read(r) },
		readSlice: func(r *Reader) (any, int) {
			s := Slice(r, read)
			if s == nil {
				return nil, 0
			}
			return s, len(s)
		},
		write:      func(w *Writer, v any) { write(w, v.(T)) },
		writeSlice: func(w *Writer, v any) { WriteSlice(w, v.([]T), write) },
		makeSlice: func(values []any) any {
			s := make([]T, len(values))
			for i, v := range values {
				s[i] = v.(T)
			}
			return s
		},
		count:   func(v any) int { return len(v.([]T)) },
		element: func(v any, i int) any { return v.([]T)[i] },
	}
}

// MakeArray makes an array, or a matrix if there are two dimensions or more, of values that all are of the type.
func MakeArray(t Type, values []any, dims []int32) Variant {
	if len(dims) < 2 {
		dims = nil
	}
	return Variant{Type: t, Array: true, Dims: dims, Value: codecs[t].makeSlice(values)}
}

// codecs are the codecs of the built-in types, by number. init fills them, since those of Variants need the table.
var codecs [TypeDiagnosticInfo + 1]codec

func init() {
	codecs = [...]codec{
		TypeNull:            codecOf(func(*Reader) any { return nil }, func(*Writer, any) {}),
		TypeBoolean:         codecOf((*Reader).Bool, (*Writer).Bool),
		TypeSByte:           codecOf(func(r *Reader) int8 { return int8(r.Byte()) }, func(w *Writer, v int8) { w.Byte(byte(v)) }),
		TypeByte:            codecOf((*Reader).Byte, (*Writer).Byte),
		TypeInt16:           codecOf(func(r *Reader) int16 { return int16(r.Uint16()) }, func(w *Writer, v int16) { w.Uint16(uint16(v)) }),
		TypeUInt16:          codecOf((*Reader).Uint16, (*Writer).Uint16),
		TypeInt32:           codecOf(func(r *Reader) int32 { return int32(r.Uint32()) }, func(w *Writer, v int32) { w.Uint32(uint32(v)) }),
		TypeUInt32:          codecOf((*Reader).Uint32, (*Writer).Uint32),
		TypeInt64:           codecOf(func(r *Reader) int64 { return int64(r.Uint64()) }, func(w *Writer, v int64) { w.Uint64(uint64(v)) }),
		TypeUInt64:          codecOf((*Reader).Uint64, (*Writer).Uint64),
		TypeFloat:           codecOf((*Reader).Float32, (*Writer).Float32),
		TypeDouble:          codecOf((*Reader).Float64, (*Writer).Float64),
		TypeString:          codecOf((*Reader).String, (*Writer).text),
		TypeDateTime:        codecOf((*Reader).Time, (*Writer).Time),
		TypeGUID:            codecOf((*Reader).guid, (*Writer).guid),
		TypeByteString:      codecOf((*Reader).Bytes, (*Writer).ByteString),
		TypeXMLElement:      codecOf(func(r *Reader) XMLElement { return XMLElement(r.String()) }, func(w *Writer, v XMLElement) { w.text(string(v)) }),
		TypeNodeID:          codecOf((*Reader).NodeID, (*Writer).NodeID),
		TypeExpandedNodeID:  codecOf((*Reader).ExpandedNodeID, (*Writer).ExpandedNodeID),
		TypeStatusCode:      codecOf(func(r *Reader) StatusCode { return StatusCode(r.Uint32()) }, func(w *Writer, v StatusCode) { w.Uint32(uint32(v)) }),
		TypeQualifiedName:   codecOf((*Reader).QualifiedName, (*Writer).QualifiedName),
		TypeLocalizedText:   codecOf((*Reader).LocalizedText, (*Writer).LocalizedText),
		TypeExtensionObject: codecOf((*Reader).ExtensionObject, (*Writer).ExtensionObject),
		TypeDataValue:       codecOf((*Reader).DataValue, (*Writer).DataValue),
		TypeVariant:         codecOf(readVariantPointer, func(w *Writer, v *Variant) { w.Variant(*v) }),
		TypeDiagnosticInfo:  codecOf((*Reader).DiagnosticInfo, (*Writer).DiagnosticInfo),
	}
}

func readVariantPointer(r *Reader) *Variant {
	const size = 64
	v := &Variant{}
	if r.Charge(size) {
		*v = r.Variant()
	}
	return v
}

// ReadValue reads a value of a built-in type as it stands in a structure, without a Variant around it.
func (r *Reader) ReadValue(t Type) Variant {
	if t == TypeNull || t > TypeDiagnosticInfo || !r.Enter() {
		r.Malformed("built-in type %d", t)
		return Variant{}
	}
	defer r.Leave()
	return Variant{Type: t, Value: codecs[t].read(r)}
}

// ReadArray reads an array of a built-in type as it stands in a structure; dims is how many dimensions it has.
func (r *Reader) ReadArray(t Type, dims int) Variant {
	if t == TypeNull || t > TypeDiagnosticInfo || !r.Enter() {
		r.Malformed("built-in type %d", t)
		return Variant{}
	}
	defer r.Leave()
	v := Variant{Type: t, Array: true}
	if dims < 2 {
		v.Value, _ = codecs[t].readSlice(r)
		return v
	}
	count := 0
	if v.Dims, count = r.Shape(dims); count < 0 {
		return Variant{}
	}
	const boxed = 48 // bytes of an element with its interface, about
	if !r.Charge(count * boxed) {
		return Variant{}
	}
	values := make([]any, 0, count)
	for range count {
		values = append(values, codecs[t].read(r))
	}
	v.Value = codecs[t].makeSlice(values)
	return v
}

// Shape reads how many elements of at least a byte an array in a structure has, and the lengths of its dimensions if there are
// several. count is -1 for a null array and after an error.
func (r *Reader) Shape(rank int) (dims []int32, count int) {
	if rank < 2 {
		return nil, r.length()
	}
	dims = r.lengths()
	count, fits := volume(dims, len(r.b))
	if !fits {
		r.Malformed("a matrix has dimensions %v", dims)
	}
	if r.err != nil {
		return nil, -1
	}
	return dims, count
}

// Shape writes what Reader.Shape reads.
func (w *Writer) Shape(count int, dims []int32) {
	if len(dims) < 2 {
		w.Uint32(uint32(count))
		return
	}
	WriteSlice(w, dims, func(w *Writer, d int32) { w.Uint32(uint32(d)) })
}

// WriteValue writes a value as it stands in a structure, without a Variant around it.
func (w *Writer) WriteValue(v Variant) {
	switch {
	case !v.Array:
		codecs[v.Type].write(w, v.Value)
	case len(v.Dims) > 1:
		w.Shape(0, v.Dims)
		for i := range v.Len() {
			codecs[v.Type].write(w, v.Element(i))
		}
	case v.Value == nil:
		w.Uint32(null)
	default:
		codecs[v.Type].writeSlice(w, v.Value)
	}
}

// Len is how many elements an array has.
func (v *Variant) Len() int {
	if !v.Array || v.Value == nil {
		return 0
	}
	return codecs[v.Type].count(v.Value)
}

// Element is an element of an array.
func (v *Variant) Element(index int) any { return codecs[v.Type].element(v.Value, index) }
