package binary

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

// samples are values of every built-in type.
func samples() map[Type]any {
	number, text, status := int32(5), "x", StatusCode(0x80000000)
	return map[Type]any{
		TypeBoolean: true, TypeSByte: int8(-1), TypeByte: byte(200), TypeInt16: int16(-2), TypeUInt16: uint16(60000), TypeInt32: int32(-3),
		TypeUInt32: uint32(4e9), TypeInt64: int64(-1 << 62), TypeUInt64: uint64(1<<64 - 1), TypeFloat: float32(1.5), TypeDouble: 1e300,
		TypeString: "Grüße", TypeDateTime: time.Date(9000, 1, 2, 3, 4, 5, 678900, time.UTC), TypeGUID: GUID{1, 2, 3, 4, 5, 6, 7, 8, 9},
		TypeByteString: []byte{0, 1}, TypeXMLElement: XMLElement("<a/>"), TypeNodeID: NodeID{Namespace: 3, Kind: 's', Text: "a"},
		TypeExpandedNodeID: ExpandedNodeID{NodeID: NodeID{Kind: 'i', Number: 70000}, URI: "urn:x", Server: 2}, TypeStatusCode: status,
		TypeQualifiedName: QualifiedName{2, "q"}, TypeLocalizedText: LocalizedText{"de", "t"},
		TypeExtensionObject: ExtensionObject{Type: ExpandedNodeID{NodeID: Numeric(884)}, Encoding: BodyBinary, Body: []byte{1}},
		TypeDataValue: DataValue{HasValue: true, Value: Variant{Type: TypeInt16, Value: int16(1)}, Status: status, SourceTime: time.Unix(5, 0).UTC(),
			ServerTime: time.Unix(6, 0).UTC(), SourcePicoseconds: 7, ServerPicoseconds: 8},
		TypeVariant: &Variant{Type: TypeString, Value: "inner"},
		TypeDiagnosticInfo: DiagnosticInfo{SymbolicID: &number, NamespaceURI: &number, Locale: &number, LocalizedText: &number, AdditionalInfo: &text,
			InnerStatus: &status, Inner: &DiagnosticInfo{}},
	}
}

// Every type comes back as it was written, as scalar, array and matrix, in a Variant and in a structure.
func TestThereAndBack(t *testing.T) {
	all := samples()
	if len(all) != int(TypeDiagnosticInfo) {
		t.Fatalf("%d types", len(all))
	}
	for typ, value := range all {
		four := []any{value, value, value, value}
		for _, v := range []Variant{{Type: typ, Value: value}, MakeArray(typ, four[:0], nil), MakeArray(typ, four, nil), MakeArray(typ, four, []int32{2, 2}),
			{Type: typ, Array: true}} {
			w := &Writer{}
			w.Variant(v)
			r := NewReader(w.Bytes(), 1<<20)
			if got := r.Variant(); r.Err() != nil || len(r.Rest()) > 0 || !reflect.DeepEqual(got, v) {
				t.Errorf("%s: %+v became %+v (%v, %d bytes left)", typ, v, got, r.Err(), len(r.Rest()))
			}
			inStructure(t, v)
		}
	}
}

func inStructure(t *testing.T, v Variant) {
	t.Helper()
	w := &Writer{}
	w.WriteValue(v)
	r := NewReader(w.Bytes(), 1<<20)
	var got Variant
	if v.Array {
		got = r.ReadArray(v.Type, len(v.Dims))
	} else {
		got = r.ReadValue(v.Type)
	}
	if r.Err() != nil || len(r.Rest()) > 0 || !reflect.DeepEqual(got, v) {
		t.Errorf("%s in a structure: %+v became %+v (%v)", v.Type, v, got, r.Err())
	}
}

func TestTimes(t *testing.T) {
	for _, moment := range []time.Time{{}, time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		w := &Writer{}
		w.Time(moment)
		if got := NewReader(w.Bytes(), 0).Time(); !got.Equal(moment) {
			t.Errorf("%s became %s", moment, got)
		}
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[StatusCode]string{0: "Good", 0x80340000: "BadNodeIdUnknown", 0x80340480: "BadNodeIdUnknown", 0x80FFFFFF: "0x80FFFFFF",
		0x480: "Good"} {
		if got := code.String(); got != want {
			t.Errorf("%#x is %s", uint32(code), got)
		}
	}
	if !StatusCode(0x480).Overflow() || StatusCode(0x80).Overflow() || StatusCode(0x80000000).Good() || !StatusCode(0x80000000).Bad() ||
		StatusCode(0x40000000).Bad() || StatusCode(0x40000000).Good() {
		t.Error("the bits are read wrongly")
	}
}

// Every response can be read from what is written of it.
func TestResponses(t *testing.T) {
	for number, new := range responses {
		w := &Writer{}
		w.NodeID(Numeric(number))
		w.Encode(new())
		got, err := DecodeResponse(w.Bytes(), 1<<20)
		if err != nil || reflect.TypeOf(got) != reflect.TypeOf(new()) {
			t.Errorf("%d: %T, %v", number, got, err)
		}
	}
}

func FuzzDecodeResponse(f *testing.F) {
	for number, new := range responses {
		w := &Writer{}
		w.NodeID(Numeric(number))
		w.Encode(new())
		f.Add(w.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		response, err := DecodeResponse(b, 1<<20)
		if (err == nil) != (response != nil) {
			t.Errorf("%v and %v", response, err)
		}
	})
}

// A value that could be read is the same after it was written and read again.
func FuzzVariant(f *testing.F) {
	for typ, value := range samples() {
		w := &Writer{}
		w.Variant(MakeArray(typ, []any{value, value}, nil))
		f.Add(w.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b, 1<<20)
		v := r.Variant()
		if r.Err() != nil {
			return
		}
		w := &Writer{}
		w.Variant(v)
		again := NewReader(w.Bytes(), 1<<21)
		v2 := again.Variant()
		if again.Err() != nil {
			t.Fatalf("%x was written as %x: %v", b, w.Bytes(), again.Err())
		}
		w2 := &Writer{}
		w2.Variant(v2)
		if !bytes.Equal(w.Bytes(), w2.Bytes()) {
			t.Errorf("%x was written as %x and then as %x", b, w.Bytes(), w2.Bytes())
		}
	})
}

// A DataValue is read and written again whatever it says that it has.
func TestDataValueMasks(t *testing.T) {
	for mask := range 256 {
		b := append([]byte{byte(mask), byte(TypeByte), 7}, bytes.Repeat([]byte{0xff}, 24)...)
		if mask&hasValue == 0 {
			b = append(b[:1], b[3:]...)
		}
		r := NewReader(b, 1<<10)
		d := r.DataValue()
		if r.Err() != nil {
			t.Errorf("%#x: %v", mask, r.Err())
		}
		w := &Writer{}
		w.DataValue(d)
		again := NewReader(w.Bytes(), 1<<10)
		if d2 := again.DataValue(); again.Err() != nil || !reflect.DeepEqual(d, d2) {
			t.Errorf("%#x: %+v became %+v (%v)", mask, d, d2, again.Err())
		}
	}
}

// Moments before those that there are, and after, are the first and the last.
func TestStrangeTimes(t *testing.T) {
	for ticks, want := range map[uint64]int{0: 1, 1 << 63: 1, 1<<64 - 1: 1, 1<<63 - 1: 9999, 2650467743990000001: 9999} {
		w := &Writer{}
		w.Uint64(ticks)
		if got := NewReader(w.Bytes(), 0).Time(); got.Year() != want {
			t.Errorf("%d is %s", ticks, got)
		}
	}
}

// What lies within itself too deep, or says that it has more than there is, is refused before it takes memory or time.
func TestBounds(t *testing.T) {
	deep := func(b ...byte) []byte { return append(bytes.Repeat(b, 1<<20/len(b)), 0) }
	for name, b := range map[string][]byte{
		"Variants":                  deep(byte(TypeVariant)),
		"arrays of Variants":        deep(variantArray|byte(TypeVariant), 1, 0, 0, 0),
		"DataValues":                deep(byte(TypeDataValue), hasValue),
		"DiagnosticInfos":           append([]byte{byte(TypeDiagnosticInfo)}, deep(0x40)...),
		"an array of 2³¹-1":         {variantArray | byte(TypeInt64), 0xff, 0xff, 0xff, 0x7f, 0},
		"a matrix of 2³¹-1":         {variantArray | variantDims | byte(TypeByte), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0},
		"a ByteString of 2³¹-1":     {byte(TypeByteString), 0xff, 0xff, 0xff, 0x7f, 0},
		"a structure of 2³¹-1":      {byte(TypeExtensionObject), 0, 0, BodyBinary, 0xff, 0xff, 0xff, 0x7f, 0},
		"more dimensions than deep": append([]byte{variantArray | variantDims | byte(TypeByte), 1, 0, 0, 0, 7, 101, 0, 0, 0}, bytes.Repeat([]byte{1, 0, 0, 0}, 101)...),
	} {
		r := NewReader(b, 1<<24)
		if r.Variant(); !errors.Is(r.Err(), ErrLimits) && !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}
