package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Group finds a group of settings by its path, such as kafka, in a configuration, a pointer to a struct. The result is a
// pointer to the group.
func Group(configuration any, path string) (any, error) {
	v, ok := find(reflect.ValueOf(configuration).Elem(), strings.Split(path, "."))
	if !ok || !isGroup(v) {
		return nil, fmt.Errorf("%s: there is no such group of settings", path)
	}
	return v.Addr().Interface(), nil
}

// Number finds a setting that is a whole number or a duration by its path, such as kafka.maxRecords.
func Number(configuration any, path string) (int64, error) {
	v, ok := find(reflect.ValueOf(configuration).Elem(), strings.Split(path, "."))
	if !ok || !v.CanInt() {
		return 0, fmt.Errorf("%s: there is no such number among the settings", path)
	}
	return v.Int(), nil
}

// find follows the names of fields, in camel case.
func find(v reflect.Value, path []string) (reflect.Value, bool) {
	if len(path) == 0 {
		return v, true
	}
	if !isGroup(v) {
		return v, false
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case field.Anonymous && isGroup(v.Field(i)):
			if found, ok := find(v.Field(i), path); ok {
				return found, true
			}
		case field.IsExported() && lowerCamel(field.Name) == path[0]:
			return find(v.Field(i), path[1:])
		}
	}
	return v, false
}
