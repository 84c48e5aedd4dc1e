package config

import (
	"reflect"
	"slices"
	"strings"
)

// isMap recognises a map from a name to a pointer to a group.
func isMap(v reflect.Value) bool {
	t := v.Type()
	return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String &&
		t.Elem().Kind() == reflect.Pointer && t.Elem().Elem().Kind() == reflect.Struct
}

// keys are those of a map, in order.
func keys(v reflect.Value) []reflect.Value {
	all := v.MapKeys()
	slices.SortFunc(all, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// newEntry is a group with its defaults.
func newEntry(v reflect.Value) reflect.Value {
	entry := reflect.New(v.Type().Elem().Elem())
	if d, ok := entry.Interface().(Defaulter); ok {
		d.SetDefaults()
	}
	return entry
}

// listMap lists the values of all entries. For a map without entries it lists those that an entry would have.
func listMap(name, path string, v reflect.Value) (settings []Setting) {
	if v.Len() == 0 {
		return list(name+"_<NAME>", path+".<name>", newEntry(v).Elem())
	}
	for _, key := range keys(v) {
		settings = append(settings, list(name+"_"+variable(key.String()), join(path, key.String()), v.MapIndex(key).Elem())...)
	}
	return settings
}

func variable(key string) string { return strings.ToUpper(strings.ReplaceAll(key, "-", "_")) }

// grow adds an entry to each map in v for each name that variables of the environment give.
func grow(name string, environment []string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		fieldName := name + "_" + upperSnake(field.Name)
		if field.Anonymous {
			fieldName = name
		}
		if isGroup(v.Field(i)) {
			grow(fieldName, environment, v.Field(i))
		}
		if isMap(v.Field(i)) {
			growMap(fieldName, environment, v.Field(i))
		}
	}
}

func growMap(name string, environment []string, v reflect.Value) {
	suffixes := list("", "", newEntry(v).Elem())
	// The longest first: of KEYS_URL and URL, the variable X_KEYS_URL means the former.
	slices.SortFunc(suffixes, func(a, b Setting) int { return len(b.Name) - len(a.Name) })
	for _, assignment := range environment {
		given, _, _ := strings.Cut(assignment, "=")
		rest, ok := strings.CutPrefix(given, name+"_")
		if !ok {
			continue
		}
		for _, suffix := range suffixes {
			key, ok := strings.CutSuffix(rest, suffix.Name)
			if ok && key != "" {
				addEntry(v, strings.ToLower(strings.ReplaceAll(key, "_", "-")))
				break
			}
		}
	}
}

func addEntry(v reflect.Value, key string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	if k := reflect.ValueOf(key).Convert(v.Type().Key()); !v.MapIndex(k).IsValid() {
		v.SetMapIndex(k, newEntry(v))
	}
}
