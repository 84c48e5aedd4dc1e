package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// unmarshal reads JSON as encoding/json does, except that a member is that of a field only if its name is exactly the field's.
// encoding/json does not look at the case of letters, so that a member that nobody knows, as "Password", would count, and more than
// the one that was meant.
func unmarshal(raw []byte, to any) error {
	return json.Unmarshal(exactly(raw, reflect.TypeOf(to).Elem()), to)
}

// stray is the first member of the objects in a value, in the order of the names, whose name is not exactly a field's.
func stray(raw json.RawMessage, t reflect.Type) (name string, found bool) {
	switch {
	case t.Kind() == reflect.Pointer:
		return stray(raw, t.Elem())
	case readsItself(t):
		return "", false
	case t.Kind() == reflect.Slice && kindOf(raw) == isList:
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list) // which is valid, as it was read before
		for _, value := range list {
			if name, found = stray(value, t.Elem()); found {
				return name, true
			}
		}
	case (t.Kind() == reflect.Struct || t.Kind() == reflect.Map) && kindOf(raw) == isObject:
		return strayMember(raw, t)
	}
	return "", false
}

func strayMember(raw json.RawMessage, t reflect.Type) (name string, found bool) {
	var object map[string]json.RawMessage
	_ = json.Unmarshal(raw, &object)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var of reflect.Type
		if t.Kind() == reflect.Map {
			of = t.Elem()
		} else if of = fieldsOf(t)[name]; of == nil {
			return name, true
		}
		if inner, found := stray(object[name], of); found {
			return inner, true
		}
	}
	return "", false
}

// exactly is a value without those members of objects that have no field in a type.
func exactly(raw json.RawMessage, t reflect.Type) json.RawMessage {
	switch {
	case t.Kind() == reflect.Pointer:
		return exactly(raw, t.Elem())
	case readsItself(t):
		return raw
	case t.Kind() == reflect.Struct:
		fields := fieldsOf(t)
		return members(raw, func(name string, value json.RawMessage) (json.RawMessage, bool) {
			field, ok := fields[name]
			if !ok {
				return nil, false
			}
			return exactly(value, field), true
		})
	case t.Kind() == reflect.Map:
		return members(raw, func(_ string, value json.RawMessage) (json.RawMessage, bool) { return exactly(value, t.Elem()), true })
	case t.Kind() == reflect.Slice && kindOf(raw) == isList:
		return elements(raw, t.Elem())
	}
	return raw
}

// members rewrites the members of an object. What is no object, or needs no change, stays as it is.
func members(raw json.RawMessage, rewrite func(name string, value json.RawMessage) (json.RawMessage, bool)) json.RawMessage {
	var object map[string]json.RawMessage
	if kindOf(raw) != isObject || json.Unmarshal(raw, &object) != nil {
		return raw
	}
	changed := false
	for name, value := range object {
		next, keep := rewrite(name, value)
		if !keep {
			delete(object, name)
		} else {
			object[name] = next
		}
		changed = changed || !keep || !bytes.Equal(next, value)
	}
	return rewritten(raw, object, changed)
}

func elements(raw json.RawMessage, t reflect.Type) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return raw
	}
	changed := false
	for i, value := range list {
		list[i] = exactly(value, t)
		changed = changed || !bytes.Equal(list[i], value)
	}
	return rewritten(raw, list, changed)
}

func rewritten(raw json.RawMessage, value any, changed bool) json.RawMessage {
	if !changed {
		return raw
	}
	text, err := json.Marshal(value)
	if err != nil {
		return raw // which does not happen: all parts were valid JSON
	}
	return text
}

// readsItself tells whether a type has a way of its own to be read.
func readsItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// structs has the fields of every type that was asked for: name in JSON to type.
var structs sync.Map

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if fields, ok := structs.Load(t); ok {
		return fields.(map[string]reflect.Type) //nolint:forcetypeassert // nothing else is stored
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && field.Anonymous && field.Type.Kind() == reflect.Struct:
			maps.Copy(fields, fieldsOf(field.Type))
		case name == "":
			fields[field.Name] = field.Type
		default:
			fields[name] = field.Type
		}
	}
	structs.Store(t, fields)
	return fields
}
