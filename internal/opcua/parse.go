package opcua

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A ValueError says why JSON is no value of a data type.
type ValueError struct {
	Path   string // within the value, such as "[3].Low"; "" is all of it
	Reason string
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// at is an error with the path of what it is in before its own.
func at(path string, err error) error {
	var wrong *ValueError
	if errors.As(err, &wrong) {
		return &ValueError{Path: path + wrong.Path, Reason: wrong.Reason}
	}
	return err
}

func wrong(format string, args ...any) error {
	return &ValueError{Reason: fmt.Sprintf(format, args...)}
}

// maxElements is how many elements an array that is written has, at most.
const maxElements = 1_000_000

// parse reads JSON as a value of a data type. rank is how many dimensions it has: -1 none, 0 some, -2 any number, -3 none or one.
func (c *Connection) parse(ctx context.Context, text json.RawMessage, dataType binary.NodeID, rank int32) (binary.Variant, error) {
	value, err := decodeJSON(text)
	if err != nil {
		return binary.Variant{}, err
	}
	c.learning.Lock()
	typ, err := c.dataType(ctx, dataType, 0)
	c.learning.Unlock()
	if err != nil {
		return binary.Variant{}, fmt.Errorf("reading its data type: %w", err)
	}
	p := &parser{space: c.space}
	v, err := p.value(value, typ, rank)
	if err != nil {
		return binary.Variant{}, err
	}
	return p.seal(v)
}

// decodeJSON reads one JSON value whose numbers keep their digits.
func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, wrong("no JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, wrong("more follows after the JSON value")
	}
	return value, nil
}

type parser struct{ space *space }

// seal turns objects into ExtensionObjects, as they stand in a Variant.
func (p *parser) seal(v binary.Variant) (binary.Variant, error) {
	switch x := v.Value.(type) {
	case *object:
		e, err := x.extension()
		return binary.Variant{Type: v.Type, Value: e}, err
	case []*object:
		all := make([]binary.ExtensionObject, len(x))
		for i, o := range x {
			e, err := o.extension()
			if err != nil {
				return v, at("["+strconv.Itoa(i)+"]", err)
			}
			all[i] = e
		}
		v.Value = all
	}
	return v, nil
}

// extension is the object as an ExtensionObject.
func (o *object) extension() (binary.ExtensionObject, error) {
	w := &binary.Writer{}
	if err := o.write(w); err != nil {
		return binary.ExtensionObject{}, err
	}
	return binary.ExtensionObject{Type: binary.ExpandedNodeID{NodeID: o.of.encoding}, Encoding: binary.BodyBinary, Body: w.Bytes()}, nil
}

// value reads a value of a data type.
func (p *parser) value(value any, typ *dataType, rank int32) (binary.Variant, error) {
	if o, isObject := value.(map[string]any); isObject && o["UaType"] != nil {
		return p.reversible(o, typ, rank)
	}
	if typ.builtin == binary.TypeVariant && rank < 1 {
		return p.guess(value)
	}
	array, isArray := value.([]any)
	switch {
	case isArray && rank == -1:
		return binary.Variant{}, wrong("is an array, not a single %s", typ.name)
	case !isArray && (rank >= 0) && value != nil:
		return binary.Variant{}, wrong("is not an array of %s", typ.name)
	case !isArray && value == nil && rank >= 0:
		return binary.Variant{Type: typ.builtin, Array: true}, nil
	case !isArray:
		return p.single(value, typ)
	}
	dims, flat, err := flatten(array, rank)
	if err != nil {
		return binary.Variant{}, err
	}
	return p.array(dims, flat, typ)
}

// flatten is an array of arrays as one, row by row, with the lengths of its dimensions.
func flatten(array []any, rank int32) (dims []int32, flat []any, err error) {
	dims, flat = []int32{int32(len(array))}, array
	for rank != 1 && rank != -3 && len(flat) > 0 {
		first, nested := flat[0].([]any)
		if !nested {
			break
		}
		var inner []any
		for i, row := range flat {
			r, isArray := row.([]any)
			if !isArray || len(r) != len(first) {
				return nil, nil, &ValueError{Path: "[" + strconv.Itoa(i) + "]", Reason: "the rows of a matrix have different lengths"}
			}
			inner = append(inner, r...)
		}
		dims, flat = append(dims, int32(len(first))), inner
	}
	switch {
	case len(flat) > maxElements:
		return nil, nil, wrong("has %d elements, more than %d", len(flat), maxElements)
	case rank > 0 && len(dims) != int(rank) && len(flat) > 0:
		return nil, nil, wrong("has %d dimensions, not %d", len(dims), rank)
	}
	return dims, flat, nil
}

// array reads elements.
func (p *parser) array(dims []int32, flat []any, typ *dataType) (binary.Variant, error) {
	if len(dims) > maxJSONNesting {
		return binary.Variant{}, wrong("has %d dimensions, more than %d", len(dims), maxJSONNesting)
	}
	if len(dims) < 2 {
		dims = nil
	}
	values := make([]any, len(flat))
	var objects []*object
	for i, element := range flat {
		v, err := p.single(element, typ)
		if err != nil {
			return binary.Variant{}, at("["+strconv.Itoa(i)+"]", err)
		}
		if o, isObject := v.Value.(*object); isObject {
			objects = append(objects, o)
		}
		if v.Value == nil {
			return binary.Variant{}, &ValueError{Path: "[" + strconv.Itoa(i) + "]", Reason: "is null"}
		}
		values[i] = v.Value
		if typ.builtin == binary.TypeVariant {
			values[i] = &v
		}
	}
	switch {
	case len(objects) == 0:
		return binary.MakeArray(typ.builtin, values, dims), nil
	case len(objects) < len(flat):
		return binary.Variant{}, wrong("some structures are given by their fields and some by their bytes")
	}
	return binary.Variant{Type: binary.TypeExtensionObject, Array: true, Dims: dims, Value: objects}, nil
}

// reversible reads {"UaType", "Value", "Dimensions"}.
func (p *parser) reversible(o map[string]any, typ *dataType, rank int32) (binary.Variant, error) {
	number, err := integer(o["UaType"], 8)
	if err != nil || binary.Type(number) > binary.TypeDiagnosticInfo {
		return binary.Variant{}, wrong("UaType is not the number of a built-in type")
	}
	named := &dataType{name: binary.Type(number).String(), builtin: binary.Type(number)}
	switch {
	case number == 0:
		return binary.Variant{}, nil
	case typ.builtin == named.builtin:
		named = typ
	case typ.builtin != binary.TypeVariant:
		return binary.Variant{}, wrong("is a %s, not a %s", named.name, typ.name)
	}
	if o["Value"] == nil && named.builtin != binary.TypeByteString && named.builtin != binary.TypeExtensionObject {
		return binary.Variant{Type: binary.Type(number), Array: true}, nil // of scalars only these can be null
	}
	const anyRank = -2
	v, err := p.value(o["Value"], named, anyRank)
	if err != nil || o["Dimensions"] == nil {
		return v, err
	}
	lengths, isArray := o["Dimensions"].([]any)
	if !isArray || !v.Array || len(v.Dims) > 1 || len(lengths) > maxJSONNesting {
		return v, wrong("Dimensions does not fit")
	}
	product := int64(1)
	for _, length := range lengths {
		n, err := integer(length, 32)
		if err != nil || n < 0 || product*n > maxElements {
			return v, wrong("Dimensions does not fit")
		}
		product *= n
		v.Dims = append(v.Dims, int32(n))
	}
	if count := arrayLength(&v); int64(count) != product {
		return v, wrong("Dimensions does not fit %d elements", count)
	}
	return v, nil
}

// guess reads a value where any type may stand: a Boolean, a String, an Int64, a Double, or an array of these.
func (p *parser) guess(value any) (binary.Variant, error) {
	switch x := value.(type) {
	case nil:
		return binary.Variant{}, nil
	case map[string]any:
		return binary.Variant{}, wrong(`is an object: where any type may stand its type is needed ({"UaType": …, "Value": …})`)
	case []any:
		typ, err := guessTypes(x)
		if err != nil {
			return binary.Variant{}, err
		}
		return p.array([]int32{int32(len(x))}, x, &dataType{name: typ.String(), builtin: typ})
	default:
		t, err := guessType(value)
		if err != nil {
			return binary.Variant{}, err
		}
		return p.single(value, &dataType{name: t.String(), builtin: t})
	}
}

// guessTypes is the type of all elements of an array, or Variant if they are of several.
func guessTypes(array []any) (binary.Type, error) {
	typ := binary.TypeVariant
	for i, element := range array {
		t, err := guessType(element)
		switch {
		case err != nil:
			return 0, at("["+strconv.Itoa(i)+"]", err)
		case i == 0 || (t == binary.TypeDouble && typ == binary.TypeInt64):
			typ = t
		case t != typ && !(t == binary.TypeInt64 && typ == binary.TypeDouble):
			typ = binary.TypeVariant
		}
	}
	return typ, nil
}

func guessType(value any) (binary.Type, error) {
	switch x := value.(type) {
	case bool:
		return binary.TypeBoolean, nil
	case string:
		return binary.TypeString, nil
	case json.Number:
		if _, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return binary.TypeInt64, nil
		}
		return binary.TypeDouble, nil
	case map[string]any:
		return binary.TypeVariant, is(x["UaType"] != nil, `clear without its type ({"UaType": …, "Value": …})`)
	default:
		return 0, wrong("its type is not clear")
	}
}

// single reads a scalar.
func (p *parser) single(value any, typ *dataType) (binary.Variant, error) {
	v := binary.Variant{Type: typ.builtin}
	var err error
	switch typ.builtin {
	case binary.TypeVariant:
		if o, isObject := value.(map[string]any); isObject && o["UaType"] != nil {
			return p.reversible(o, typ, -2)
		}
		return p.guess(value)
	case binary.TypeExtensionObject:
		v.Value, err = p.structure(value, typ)
	case binary.TypeByteString:
		v.Value, err = parseBytes(value)
	default:
		if value == nil {
			return v, wrong("is null, not a %s", typ.name)
		}
		v.Value, err = p.scalar(value, typ.builtin)
	}
	return v, err
}

func (p *parser) scalar(value any, t binary.Type) (any, error) {
	switch t {
	case binary.TypeBoolean:
		b, ok := value.(bool)
		return b, is(ok, "true or false")
	case binary.TypeFloat, binary.TypeDouble:
		return parseFloat(value, t)
	case binary.TypeString:
		s, ok := value.(string)
		return s, is(ok, "a string")
	case binary.TypeXMLElement:
		s, ok := value.(string)
		return binary.XMLElement(s), is(ok, "a string")
	case binary.TypeDateTime:
		s, _ := value.(string)
		moment, err := time.Parse(time.RFC3339Nano, s)
		return moment.UTC(), is(err == nil, `a time such as "2026-01-31T12:00:00Z"`)
	case binary.TypeGUID:
		s, _ := value.(string)
		guid, err := binary.ParseGUID(s)
		return guid, is(err == nil, "a GUID")
	default:
		if bits, ok := integerTypes[t]; ok {
			return parseInteger(value, t, bits)
		}
		return p.composed(value, t)
	}
}

// is is nil or the error that a value is not what it should be.
func is(ok bool, what string) error {
	if ok {
		return nil
	}
	return wrong("is not %s", what)
}

// integerTypes are the integer types with their bits; those with a sign are negative.
var integerTypes = map[binary.Type]int{binary.TypeSByte: -8, binary.TypeByte: 8, binary.TypeInt16: -16, binary.TypeUInt16: 16,
	binary.TypeInt32: -32, binary.TypeUInt32: 32, binary.TypeInt64: -64, binary.TypeUInt64: 64}

func parseInteger(value any, t binary.Type, bits int) (any, error) {
	digits, ok := digitsOf(value)
	var signed int64
	var unsigned uint64
	var err error
	if bits < 0 {
		signed, err = strconv.ParseInt(digits, 10, -bits)
	} else {
		unsigned, err = strconv.ParseUint(digits, 10, bits)
	}
	if !ok || err != nil {
		return nil, wrong("is not an integer of the range of %s", t)
	}
	switch t {
	case binary.TypeSByte:
		return int8(signed), nil
	case binary.TypeByte:
		return byte(unsigned), nil
	case binary.TypeInt16:
		return int16(signed), nil
	case binary.TypeUInt16:
		return uint16(unsigned), nil
	case binary.TypeInt32:
		return int32(signed), nil
	case binary.TypeUInt32:
		return uint32(unsigned), nil
	case binary.TypeInt64:
		return signed, nil
	default:
		return unsigned, nil
	}
}

// digitsOf are the digits of a number, which may be in a string.
func digitsOf(value any) (string, bool) {
	switch x := value.(type) {
	case json.Number:
		return x.String(), true
	case string:
		return x, true
	default:
		return "", false
	}
}

// integer is a JSON number as an integer of so many bits.
func integer(value any, bits int) (int64, error) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, wrong("is not a number")
	}
	return strconv.ParseInt(number.String(), 10, bits)
}

func parseFloat(value any, t binary.Type) (any, error) {
	bits := 64
	if t == binary.TypeFloat {
		bits = 32
	}
	var x float64
	switch v := value.(type) {
	case json.Number:
		var err error
		if x, err = strconv.ParseFloat(v.String(), bits); err != nil {
			return nil, wrong("is not in the range of %s", t)
		}
	case string:
		special, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v]
		if !ok {
			return nil, wrong(`is not a number, nor "NaN", "Infinity" or "-Infinity"`)
		}
		x = special
	default:
		return nil, wrong("is not a number")
	}
	if bits == 32 {
		return float32(x), nil
	}
	return x, nil
}

// parseBytes reads base64; null is the null ByteString.
func parseBytes(value any) (any, error) {
	if value == nil {
		return []byte(nil), nil
	}
	s, _ := value.(string)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || value != any(s) {
		return nil, wrong("is not base64")
	}
	return b, nil
}

// composed reads the built-in types that are no plain ones in Go.
func (p *parser) composed(value any, t binary.Type) (any, error) {
	switch t {
	case binary.TypeNodeID:
		return p.node(value)
	case binary.TypeExpandedNodeID:
		return p.expanded(value)
	case binary.TypeStatusCode:
		return parseStatus(value)
	case binary.TypeQualifiedName:
		return p.name(value)
	case binary.TypeLocalizedText:
		return parseLocalized(value)
	case binary.TypeDataValue:
		return p.dataValue(value)
	case binary.TypeDiagnosticInfo:
		return parseDiagnostics(value, 0)
	default:
		return nil, wrong("values of type %s cannot be written", t)
	}
}

func (p *parser) node(value any) (binary.NodeID, error) {
	s, isText := value.(string)
	if !isText {
		return binary.NodeID{}, wrong(`is not a node such as "nsu=URI;s=NAME"`)
	}
	ref, err := ParseNodeRef(s)
	if err != nil {
		return binary.NodeID{}, wrong("%v", err)
	}
	node, err := p.space.node(ref)
	if err != nil {
		return binary.NodeID{}, wrong("%v", err)
	}
	return node, nil
}

// expanded reads a node that may be at another server ("svr=INDEX;…") or in a namespace that this one does not know.
func (p *parser) expanded(value any) (n binary.ExpandedNodeID, err error) {
	s, _ := value.(string)
	if after, elsewhere := strings.CutPrefix(s, "svr="); elsewhere {
		index, rest, _ := strings.Cut(after, ";")
		server, err := strconv.ParseUint(index, 10, 32)
		if err != nil {
			return n, wrong("svr= is followed by the index of a server")
		}
		n.Server, s = uint32(server), rest
	}
	ref, err := ParseNodeRef(s)
	if err != nil {
		return n, wrong("%v", err)
	}
	if _, err := p.space.index(ref.Namespace); err != nil {
		n.URI, ref.Namespace = ref.Namespace, ""
	}
	n.NodeID, err = p.space.node(ref)
	return n, err
}

// parseStatus reads a number or {"Code": number}.
func parseStatus(value any) (Status, error) {
	if o, isObject := value.(map[string]any); isObject {
		value = o["Code"]
	}
	number, isNumber := value.(json.Number)
	code, err := strconv.ParseUint(number.String(), 10, 32)
	return Status(code), is(isNumber && err == nil, `a status code: its number, or {"Code": NUMBER}`)
}

// name reads "NAME" or "nsu=URI;NAME".
func (p *parser) name(value any) (q binary.QualifiedName, err error) {
	s, isText := value.(string)
	if !isText {
		return q, wrong(`is not a name such as "nsu=URI;NAME"`)
	}
	name := QualifiedName{Name: s}
	if after, ok := strings.CutPrefix(s, "nsu="); ok {
		uri, rest, _ := strings.Cut(after, ";")
		name = QualifiedName{Namespace: unescapeURI.Replace(uri), Name: rest}
	}
	if q, err = p.space.qualified(name); err != nil {
		return q, wrong("%v", err)
	}
	return q, nil
}

// parseLocalized reads "TEXT" or {"Locale", "Text"}.
func parseLocalized(value any) (t binary.LocalizedText, err error) {
	switch x := value.(type) {
	case string:
		return binary.LocalizedText{Text: x}, nil
	case map[string]any:
		text, ok := x["Text"].(string)
		locale, hasLocale := x["Locale"].(string)
		return binary.LocalizedText{Text: text, Locale: locale}, is((ok || x["Text"] == nil) && (hasLocale || x["Locale"] == nil), "a text")
	default:
		return t, wrong(`is not a text, nor {"Locale": …, "Text": …}`)
	}
}

// dataValue reads {"Value", "Status", "SourceTimestamp", …}.
func (p *parser) dataValue(value any) (d binary.DataValue, err error) {
	o, isObject := value.(map[string]any)
	if !isObject {
		return d, wrong(`is not a {"Value": …, "Status": …}`)
	}
	if inner, there := o["Value"]; there {
		d.HasValue = true
		if d.Value, err = p.value(inner, &dataType{name: "Variant", builtin: binary.TypeVariant}, -2); err != nil {
			return d, at(".Value", err)
		}
	}
	if status, there := o["Status"]; there {
		if d.Status, err = parseStatus(status); err != nil {
			return d, at(".Status", err)
		}
	}
	for name, moment := range map[string]*time.Time{"SourceTimestamp": &d.SourceTime, "ServerTimestamp": &d.ServerTime} {
		if text, there := o[name]; there {
			s, _ := text.(string)
			if *moment, err = time.Parse(time.RFC3339Nano, s); err != nil {
				return d, &ValueError{Path: "." + name, Reason: "is not a time"}
			}
		}
	}
	for name, n := range map[string]*uint16{"SourcePicoseconds": &d.SourcePicoseconds, "ServerPicoseconds": &d.ServerPicoseconds} {
		if text, there := o[name]; there {
			v, err := parseInteger(text, binary.TypeUInt16, 16)
			if err != nil {
				return d, at("."+name, err)
			}
			*n = v.(uint16)
		}
	}
	return d, nil
}

// parseDiagnostics reads what jsonWriter.diagnostics writes.
func parseDiagnostics(value any, depth int) (d binary.DiagnosticInfo, err error) {
	o, isObject := value.(map[string]any)
	if !isObject || depth > maxJSONNesting {
		return d, wrong("is no DiagnosticInfo")
	}
	for name, n := range map[string]**int32{"SymbolicId": &d.SymbolicID, "NamespaceUri": &d.NamespaceURI, "Locale": &d.Locale,
		"LocalizedText": &d.LocalizedText} {
		if text, there := o[name]; there {
			v, err := parseInteger(text, binary.TypeInt32, -32)
			if err != nil {
				return d, at("."+name, err)
			}
			number := v.(int32)
			*n = &number
		}
	}
	if text, there := o["AdditionalInfo"].(string); there {
		d.AdditionalInfo = &text
	}
	if status, there := o["InnerStatusCode"]; there {
		code, err := parseStatus(status)
		if err != nil {
			return d, at(".InnerStatusCode", err)
		}
		d.InnerStatus = &code
	}
	if inner, there := o["InnerDiagnosticInfo"]; there {
		within, err := parseDiagnostics(inner, depth+1)
		if err != nil {
			return d, at(".InnerDiagnosticInfo", err)
		}
		d.Inner = &within
	}
	return d, nil
}

// structure reads a structure: an object with its fields, or {"UaTypeId", "UaBody"} with its bytes. null is none.
func (p *parser) structure(value any, typ *dataType) (any, error) {
	if value == nil {
		return binary.ExtensionObject{}, nil
	}
	o, isObject := value.(map[string]any)
	if !isObject {
		return nil, wrong("is not an object with the fields of a %s", typ.name)
	}
	if body, there := o["UaBody"]; there {
		return p.opaque(o, body)
	}
	form := typ.structure
	if id, there := o["UaTypeId"]; there {
		node, err := p.node(id)
		if err != nil {
			return nil, at(".UaTypeId", err)
		}
		if form == nil || form.node != node {
			if form = p.space.form(node); form == nil {
				return nil, &ValueError{Path: ".UaTypeId", Reason: "the form of this type is not known"}
			}
		}
	}
	if form == nil {
		return nil, wrong(`the form of %s is not known: give its bytes as {"UaTypeId": …, "UaEncoding": 1, "UaBody": BASE64}`, typ.name)
	}
	return p.object(o, form)
}

// form is the form of a structured data type, if it is known.
func (s *space) form(node binary.NodeID) *structure {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if typ := s.types[node]; typ != nil && !typ.unknown {
		return typ.structure
	}
	return nil
}

func (p *parser) opaque(o map[string]any, body any) (any, error) {
	kind, err := p.expanded(o["UaTypeId"])
	if err != nil {
		return nil, at(".UaTypeId", err)
	}
	e := binary.ExtensionObject{Type: kind, Encoding: binary.BodyBinary}
	if number, given := o["UaEncoding"].(json.Number); given && number == "2" {
		text, isText := body.(string)
		e.Encoding, e.Body = binary.BodyXML, []byte(text)
		return e, is(isText, "XML")
	}
	b, err := parseBytes(body)
	if err != nil {
		return nil, at(".UaBody", err)
	}
	e.Body = b.([]byte)
	return e, nil
}

func (p *parser) object(given map[string]any, form *structure) (*object, error) {
	o := &object{of: form}
	known := 0
	for i := range form.fields {
		f := &form.fields[i]
		value, there := given[f.name]
		if !there {
			if f.optional || form.kind == kindUnion || form.kind == kindUnionOf {
				continue
			}
			return nil, &ValueError{Path: "." + f.name, Reason: "is missing"}
		}
		known++
		v, err := p.value(value, f.typ, max(f.rank, -1))
		if err == nil && f.nested() == nil {
			v, err = p.seal(v)
		}
		if err != nil {
			return nil, at("."+f.name, err)
		}
		o.members = append(o.members, member{f.name, v})
	}
	if _, typed := given["UaTypeId"]; typed {
		known++
	}
	if known < len(given) {
		for name := range given {
			if name != "UaTypeId" && !form.has(name) {
				return nil, &ValueError{Path: "." + name, Reason: "is no field of " + form.name}
			}
		}
	}
	return o, nil
}

func (s *structure) has(name string) bool {
	for i := range s.fields {
		if s.fields[i].name == name {
			return true
		}
	}
	return false
}
