package opcua

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A Form is how a value is written in JSON (OPC 10000-6, 5.4, of version 1.05).
type Form int

// The forms.
const (
	// Plain is the value alone: what most readers want. Types follow from elsewhere.
	Plain Form = iota
	// Reversible names the built-in type of each Variant ({"UaType", "Value"}) and the type of each structure ("UaTypeId"), so that
	// the value can be made again.
	Reversible
)

// AppendJSON appends the value in JSON. 64-bit integers are strings, and so are NaN and the infinities; a ByteString is
// base64; NodeIds and QualifiedNames have the URI of their namespace; structures are objects if the server has told their
// definition, otherwise their bytes in base64; matrices are arrays of arrays. What is longer than MaxJSON is broken off.
func (v Variant) AppendJSON(dst []byte, f Form) []byte {
	w := &jsonWriter{b: dst, form: f, space: v.s, begun: len(dst)}
	w.variant(&v.v)
	return w.b
}

// MarshalJSON is the form Plain.
func (v Variant) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil, Plain), nil }

// MaxJSON is how many bytes of JSON an array is written as, about: more than a message may have. JSON can be many times as long as
// what the server has sent.
const MaxJSON = 4 << 20

// maxJSONNesting is how deep structures within structures are written.
const maxJSONNesting = 100

type jsonWriter struct {
	b     []byte
	form  Form
	space *space
	depth int
	begun int // bytes that were there before
}

// full tells whether so much is written that nobody takes it.
func (w *jsonWriter) full() bool { return len(w.b)-w.begun > MaxJSON }

func (w *jsonWriter) raw(s string) { w.b = append(w.b, s...) }

// text writes a string. What is no UTF-8 is replaced.
func (w *jsonWriter) text(s string) {
	if isPlain(s) {
		w.b = append(append(append(w.b, '"'), s...), '"')
		return
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(strings.ToValidUTF8(s, "\uFFFD")) // a string can always be encoded
	w.b = append(w.b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// AppendText appends a text in JSON. What is no UTF-8 is replaced.
func AppendText(dst []byte, text string) []byte {
	w := jsonWriter{b: dst}
	w.text(text)
	return w.b
}

// isPlain tells whether a string stands in JSON as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// name writes the name of a member, which is the first one if the object has just begun.
func (w *jsonWriter) name(s string) {
	if w.b[len(w.b)-1] != '{' {
		w.raw(",")
	}
	w.text(s)
	w.raw(":")
}

// variant writes a value: with its type in the reversible form.
func (w *jsonWriter) variant(v *binary.Variant) {
	if v.Type == binary.TypeNull || w.depth >= maxJSONNesting {
		w.raw("null")
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	// A Variant that is alone in a Variant, which the standard forbids, is written as what is in it.
	if w.form == Plain || (v.Type == binary.TypeVariant && !v.Array) {
		w.value(v)
		return
	}
	w.raw(`{"UaType":`)
	w.b = strconv.AppendUint(w.b, uint64(v.Type), 10)
	w.raw(`,"Value":`)
	flat := *v
	flat.Dims = nil
	w.value(&flat)
	if len(v.Dims) > 1 {
		w.raw(`,"Dimensions":[`)
		for i, d := range v.Dims {
			if i > 0 {
				w.raw(",")
			}
			w.b = strconv.AppendInt(w.b, int64(d), 10)
		}
		w.raw("]")
	}
	w.raw("}")
}

// value writes a value without its type.
func (w *jsonWriter) value(v *binary.Variant) {
	switch {
	case !v.Array:
		w.scalar(v.Value)
	case v.Value == nil:
		w.raw("null")
	default:
		dims := v.Dims
		if len(dims) < 2 {
			dims = []int32{int32(arrayLength(v))}
		}
		w.matrix(v, dims, 0)
	}
}

// arrayLength is how many elements an array has, whose structures may be known.
func arrayLength(v *binary.Variant) int {
	if objects, known := v.Value.([]*object); known {
		return len(objects)
	}
	return v.Len()
}

// matrix writes the elements of an array from one on, as arrays of arrays.
func (w *jsonWriter) matrix(v *binary.Variant, dims []int32, from int) {
	w.raw("[")
	size := 1
	for _, d := range dims[1:] {
		size *= int(d)
	}
	objects, known := v.Value.([]*object)
	for i := 0; i < int(dims[0]) && !w.full(); i++ {
		if i > 0 {
			w.raw(",")
		}
		switch {
		case len(dims) > 1:
			w.matrix(v, dims[1:], from+i*size)
		case known:
			w.object(objects[from+i])
		default:
			w.scalar(v.Element(from + i))
		}
	}
	w.raw("]")
}

func (w *jsonWriter) scalar(value any) {
	switch x := value.(type) {
	case nil:
		w.raw("null")
	case bool:
		w.b = strconv.AppendBool(w.b, x)
	case int8:
		w.b = strconv.AppendInt(w.b, int64(x), 10)
	case byte:
		w.b = strconv.AppendUint(w.b, uint64(x), 10)
	case int16:
		w.b = strconv.AppendInt(w.b, int64(x), 10)
	case uint16:
		w.b = strconv.AppendUint(w.b, uint64(x), 10)
	case int32:
		w.b = strconv.AppendInt(w.b, int64(x), 10)
	case uint32:
		w.b = strconv.AppendUint(w.b, uint64(x), 10)
	case int64:
		w.text(strconv.FormatInt(x, 10))
	case uint64:
		w.text(strconv.FormatUint(x, 10))
	case float32:
		w.float(float64(x), 32)
	case float64:
		w.float(x, 64)
	case string:
		w.text(x)
	case time.Time:
		w.time(x)
	default:
		w.composed(value)
	}
}

func (w *jsonWriter) float(x float64, bits int) {
	switch {
	case math.IsNaN(x):
		w.raw(`"NaN"`)
	case math.IsInf(x, 1):
		w.raw(`"Infinity"`)
	case math.IsInf(x, -1):
		w.raw(`"-Infinity"`)
	default:
		w.b = strconv.AppendFloat(w.b, x, 'g', -1, bits)
	}
}

// time writes a DateTime; that which stands for no time is the first moment of year 1.
func (w *jsonWriter) time(t time.Time) {
	w.raw(`"`)
	w.b = t.UTC().AppendFormat(w.b, time.RFC3339Nano)
	w.raw(`"`)
}

// composed writes a value of a built-in type that is no plain one in Go.
func (w *jsonWriter) composed(value any) {
	switch x := value.(type) {
	case binary.GUID:
		w.text(x.String())
	case []byte:
		w.bytes(x)
	case binary.XMLElement:
		w.text(string(x))
	case binary.NodeID:
		w.node(w.space.ref(x))
	case binary.ExpandedNodeID:
		w.expanded(x)
	case binary.StatusCode:
		w.status(x)
	case binary.QualifiedName:
		w.text(w.space.name(x).String())
	case binary.LocalizedText:
		w.localized(x)
	case binary.ExtensionObject:
		w.extension(x)
	case *object:
		w.object(x)
	case binary.DataValue:
		w.dataValue(&x)
	case *binary.Variant:
		w.variant(x)
	case binary.DiagnosticInfo:
		w.diagnostics(&x)
	default:
		w.raw("null")
	}
}

func (w *jsonWriter) bytes(b []byte) {
	if b == nil {
		w.raw("null")
		return
	}
	w.raw(`"`)
	w.b = base64.StdEncoding.AppendEncode(w.b, b)
	w.raw(`"`)
}

func (w *jsonWriter) node(n NodeRef) {
	if n.IsZero() {
		w.raw("null")
		return
	}
	w.text(n.String())
}

func (w *jsonWriter) expanded(n binary.ExpandedNodeID) {
	if n.Server == 0 {
		w.node(w.space.expanded(n))
		return
	}
	w.text("svr=" + strconv.FormatUint(uint64(n.Server), 10) + ";" + w.space.expanded(n).String())
}

func (w *jsonWriter) status(s Status) {
	w.raw(`{"Code":`)
	w.b = strconv.AppendUint(w.b, uint64(s), 10)
	w.name("Symbol")
	w.text(s.String())
	w.raw("}")
}

func (w *jsonWriter) localized(t binary.LocalizedText) {
	w.raw("{")
	if t.Locale != "" {
		w.name("Locale")
		w.text(t.Locale)
	}
	w.name("Text")
	w.text(t.Text)
	w.raw("}")
}

// extension writes a structure: its fields if its form is known, otherwise its bytes or its XML with the type of the encoding.
func (w *jsonWriter) extension(e binary.ExtensionObject) {
	if o := w.space.open(e); o != nil {
		w.object(o)
		return
	}
	if e.Encoding == binary.BodyNone && e.Type.IsNull() {
		w.raw("null")
		return
	}
	w.raw("{")
	w.name("UaTypeId")
	w.expanded(e.Type)
	switch e.Encoding {
	case binary.BodyBinary:
		w.name("UaEncoding")
		w.raw("1")
		w.name("UaBody")
		w.bytes(e.Body)
	case binary.BodyXML:
		w.name("UaEncoding")
		w.raw("2")
		w.name("UaBody")
		w.text(string(e.Body))
	}
	w.raw("}")
}

func (w *jsonWriter) object(o *object) {
	if w.depth >= maxJSONNesting {
		w.raw("null")
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	w.raw("{")
	if w.form == Reversible {
		w.name("UaTypeId")
		w.node(w.space.ref(o.of.node))
	}
	for i := range o.members {
		w.name(o.members[i].name)
		w.value(&o.members[i].value)
	}
	w.raw("}")
}

func (w *jsonWriter) dataValue(d *binary.DataValue) {
	w.raw("{")
	if d.HasValue {
		w.name("Value")
		w.variant(&d.Value)
	}
	if d.Status != 0 {
		w.name("Status")
		w.status(d.Status)
	}
	times := func(name string, t time.Time, picoseconds uint16) {
		if !t.IsZero() {
			w.name(name + "Timestamp")
			w.time(t)
		}
		if picoseconds != 0 {
			w.name(name + "Picoseconds")
			w.b = strconv.AppendUint(w.b, uint64(picoseconds), 10)
		}
	}
	times("Source", d.SourceTime, d.SourcePicoseconds)
	times("Server", d.ServerTime, d.ServerPicoseconds)
	w.raw("}")
}

func (w *jsonWriter) diagnostics(d *binary.DiagnosticInfo) {
	w.raw("{")
	number := func(name string, n *int32) {
		if n != nil {
			w.name(name)
			w.b = strconv.AppendInt(w.b, int64(*n), 10)
		}
	}
	number("SymbolicId", d.SymbolicID)
	number("NamespaceUri", d.NamespaceURI)
	number("Locale", d.Locale)
	number("LocalizedText", d.LocalizedText)
	if d.AdditionalInfo != nil {
		w.name("AdditionalInfo")
		w.text(*d.AdditionalInfo)
	}
	if d.InnerStatus != nil {
		w.name("InnerStatusCode")
		w.status(*d.InnerStatus)
	}
	if d.Inner != nil {
		w.name("InnerDiagnosticInfo")
		w.diagnostics(d.Inner)
	}
	w.raw("}")
}
