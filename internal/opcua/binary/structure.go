package binary

import (
	"fmt"
	"reflect"
	"time"
)

// Decode reads a structure into what v points to: its fields one after the other.
func (r *Reader) Decode(v any) error {
	r.decode(reflect.ValueOf(v).Elem())
	return r.err
}

// Encode writes a structure: its fields one after the other.
func (w *Writer) Encode(v any) { w.encode(reflect.Indirect(reflect.ValueOf(v))) }

// A structure that knows how to read itself does so: those of which there are many.
type selfDecoder interface{ decodeFrom(*Reader) }

func (r *Reader) decode(v reflect.Value) {
	if r.err != nil || r.decodeBuiltin(v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.Bool())
	case reflect.Uint8:
		v.SetUint(uint64(r.Byte()))
	case reflect.Int8:
		v.SetInt(int64(int8(r.Byte())))
	case reflect.Uint16:
		v.SetUint(uint64(r.Uint16()))
	case reflect.Uint32:
		v.SetUint(uint64(r.Uint32()))
	case reflect.Int32:
		v.SetInt(int64(int32(r.Uint32())))
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.String:
		v.SetString(r.String())
	case reflect.Slice:
		r.decodeSlice(v)
	case reflect.Struct:
		for i := range v.NumField() {
			r.decode(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("binary: no encoding for %s", v.Type())) // a mistake in a declaration of this package
	}
}

// decodeBuiltin reads a value of a built-in type that is a structure in Go, and tells whether it is one.
func (r *Reader) decodeBuiltin(v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case selfDecoder:
		p.decodeFrom(r)
	case *time.Time:
		*p = r.Time()
	case *[]byte:
		*p = r.Bytes()
	case *NodeID:
		*p = r.NodeID()
	case *ExpandedNodeID:
		*p = r.ExpandedNodeID()
	case *QualifiedName:
		*p = r.QualifiedName()
	case *LocalizedText:
		*p = r.LocalizedText()
	case *ExtensionObject:
		*p = r.ExtensionObject()
	case *Variant:
		*p = r.Variant()
	case *DataValue:
		*p = r.DataValue()
	case *DiagnosticInfo:
		*p = r.DiagnosticInfo()
	default:
		return false
	}
	return true
}

func (r *Reader) decodeSlice(v reflect.Value) {
	n := r.length()
	if n < 0 || !r.Charge(n*int(v.Type().Elem().Size())) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := 0; i < n && r.err == nil; i++ {
		r.decode(v.Index(i))
	}
}

func (w *Writer) encode(v reflect.Value) {
	if w.encodeBuiltin(v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		w.Bool(v.Bool())
	case reflect.Uint8:
		w.Byte(byte(v.Uint()))
	case reflect.Uint16:
		w.Uint16(uint16(v.Uint()))
	case reflect.Uint32:
		w.Uint32(uint32(v.Uint()))
	case reflect.Int32:
		w.Uint32(uint32(v.Int()))
	case reflect.Float64:
		w.Float64(v.Float())
	case reflect.String:
		w.String(v.String())
	case reflect.Slice:
		if v.IsNil() {
			w.Uint32(null)
			return
		}
		w.Uint32(uint32(v.Len()))
		for i := range v.Len() {
			w.encode(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.encode(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("binary: no encoding for %s", v.Type())) // a mistake in a declaration of this package
	}
}

func (w *Writer) encodeBuiltin(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case time.Time:
		w.Time(x)
	case []byte:
		w.ByteString(x)
	case NodeID:
		w.NodeID(x)
	case ExpandedNodeID:
		w.ExpandedNodeID(x)
	case QualifiedName:
		w.QualifiedName(x)
	case LocalizedText:
		w.LocalizedText(x)
	case ExtensionObject:
		w.ExtensionObject(x)
	case Variant:
		w.Variant(x)
	case DataValue:
		w.DataValue(x)
	case DiagnosticInfo:
		w.DiagnosticInfo(x)
	default:
		return false
	}
	return true
}
