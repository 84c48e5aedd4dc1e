package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Validator is a struct, anywhere in a configuration, that can tell what is wrong with its values. The error begins
// with the name of the bad field in camel case; the function Validate puts the path before it.
type Validator interface{ Validate() error }

// A Defaulter is an entry of a map of groups that can give itself its defaults.
type Defaulter interface{ SetDefaults() }

// A Setting is one value of a configuration.
type Setting struct {
	Name    string // of the environment variable; <NAME> stands for the key of a map without entries
	Path    string // as errors give it, such as kafka.deliveryTimeout
	Default string
	Doc     string
	Secret  bool

	value reflect.Value
}

// Load fills into, a pointer to a struct that holds the defaults, from variables of the form NAME=value. Variables that
// begin with the prefix but name no field are errors, so that a misspelt setting does not go unnoticed; so are values
// that do not parse. All errors are reported at once, and none repeats a value. Load does not validate, because which
// groups of settings count depends on what the process does; see Validate.
func Load(prefix string, environment []string, into any) error {
	environment = withoutServiceLinks(environment)
	grow(prefix, environment, reflect.ValueOf(into).Elem())
	settings := Settings(prefix, into)
	var problems []error
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, prefix+"_") {
			continue
		}
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			problems = append(problems, fmt.Errorf("environment variable %s is not a setting", name))
			continue
		}
		if err := set(settings[i].value, value); err != nil {
			problems = append(problems, fmt.Errorf("%s (%s): %w", settings[i].Path, name, err))
		}
	}
	return errors.Join(problems...)
}

// Validate asks every struct in a group of settings, a pointer to a struct, that can validate itself, innermost first,
// and puts the path before each error. The group lies at path in the configuration; "" is the whole of it.
func Validate(path string, group any) error {
	return errors.Join(validate(path, reflect.ValueOf(group).Elem())...)
}

func validate(path string, v reflect.Value) (problems []error) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		fieldPath := join(path, lowerCamel(field.Name))
		if field.Anonymous {
			fieldPath = path
		}
		if isGroup(v.Field(i)) {
			problems = append(problems, validate(fieldPath, v.Field(i))...)
		}
		if isMap(v.Field(i)) {
			for _, key := range keys(v.Field(i)) {
				problems = append(problems, validate(join(fieldPath, key.String()), v.Field(i).MapIndex(key).Elem())...)
			}
		}
	}
	if validator, ok := v.Addr().Interface().(Validator); ok && len(problems) == 0 {
		if err := validator.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("%s%w", prefixed(path), err))
		}
	}
	return problems
}

func prefixed(path string) string {
	if path == "" {
		return ""
	}
	return path + "."
}

func join(path, name string) string { return prefixed(path) + name }

// Settings lists the values of a configuration, a pointer to a struct, with what they are now as defaults.
func Settings(prefix string, configuration any) []Setting {
	return list(prefix, "", reflect.ValueOf(configuration).Elem())
}

func list(name, path string, v reflect.Value) (settings []Setting) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		fieldName, fieldPath := name+"_"+upperSnake(field.Name), join(path, lowerCamel(field.Name))
		if field.Anonymous {
			fieldName, fieldPath = name, path
		}
		if isGroup(v.Field(i)) {
			settings = append(settings, list(fieldName, fieldPath, v.Field(i))...)
			continue
		}
		if isMap(v.Field(i)) {
			settings = append(settings, listMap(fieldName, fieldPath, v.Field(i))...)
			continue
		}
		s := Setting{Name: fieldName, Path: fieldPath, Doc: field.Tag.Get("doc"), Secret: field.Tag.Get("secret") == "true", value: v.Field(i)}
		if !s.Secret {
			s.Default = format(v.Field(i))
		}
		settings = append(settings, s)
	}
	return settings
}

func isGroup(v reflect.Value) bool { return v.Kind() == reflect.Struct }

func set(v reflect.Value, text string) error {
	switch v.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("not a duration such as 250ms or 10s")
		}
		v.SetInt(int64(d))
		return nil
	case []string:
		var values []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				values = append(values, part)
			}
		}
		v.Set(reflect.ValueOf(values))
		return nil
	}
	return setKind(v, text)
}

func setKind(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("neither true nor false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return errors.New("not a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("not a number")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("settings of type %s cannot be read", v.Type())
	}
	return nil
}

func format(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case []string:
		return strings.Join(value, ",")
	default:
		return fmt.Sprint(value)
	}
}

// upperSnake turns DeliveryTimeout into DELIVERY_TIMEOUT and JWKSURL into JWKSURL.
func upperSnake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		startsWord := i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]) ||
			(i+1 < len(runes) && unicode.IsLower(runes[i+1])))
		if startsWord {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// lowerCamel turns DeliveryTimeout into deliveryTimeout and URL into url.
func lowerCamel(name string) string {
	words := strings.Split(upperSnake(name), "_")
	first := len(words[0])
	return strings.ToLower(name[:first]) + name[first:]
}
