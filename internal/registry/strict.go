package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// MaxDepth bounds how deep a document is nested. Others who read lists of documents go no deeper than 128, as drg, and whoever
// may see a document that they cannot read could list nothing any more.
const MaxDepth = 100

// DecodeStrict reads one JSON value, in UTF-8 and not deeper than MaxDepth, into a pointer. The names of all members must be exactly
// those of fields: encoding/json does not look at the case of letters. Its errors hold names, and no values.
func DecodeStrict(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON document")
	}
	if depth(text) > MaxDepth {
		return fmt.Errorf("nested more than %d deep", MaxDepth)
	}
	if name, found := stray(text, reflect.TypeOf(into).Elem()); found {
		return fmt.Errorf("json: unknown field %q", name)
	}
	return nil
}

// depth is how deep JSON is nested.
func depth(text []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(text))
	now, most := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil { // the end
			return most
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// Twice finds members that stand twice in an object. Readers differ in which of them counts; here it is the last one.
func Twice(text []byte) []Problem {
	t := &twice{checker: &checker{}}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil { // the end, or no JSON, which is for others to tell
			return t.found
		}
		t.take(token)
	}
}

// Once is a JSON value with only the last one of members that stand twice. Without such it is the same text.
func Once(text []byte) []byte {
	if len(Twice(text)) == 0 {
		return text
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text
	}
	once, err := json.Marshal(value)
	if err != nil {
		return text // which does not happen: it was read from JSON
	}
	return append(once, text[decoder.InputOffset():]...)
}

// twice follows the tokens of a text.
type twice struct {
	*checker
	open []*level
}

// A level is an object or a list that is not closed yet.
type level struct {
	names map[string]bool // nil for a list
	name  string          // of the member
	named bool            // its value comes
	index int             // of the element that comes
}

func (t *twice) take(token json.Token) {
	now := t.innermost()
	if name, ok := token.(string); ok && now != nil && now.names != nil && !now.named {
		now.name, now.named = name, true
		if now.names[name] {
			t.say(t.path(), "is there twice; the last one counts")
		}
		now.names[name] = true
		return
	}
	switch token {
	case json.Delim('{'):
		t.open = append(t.open, &level{names: map[string]bool{}})
		return
	case json.Delim('['):
		t.open = append(t.open, &level{})
		return
	case json.Delim('}'), json.Delim(']'):
		t.open = t.open[:len(t.open)-1]
	}
	if outer := t.innermost(); outer != nil { // a value is over
		outer.named = false
		outer.index++
	}
}

func (t *twice) innermost() *level {
	if len(t.open) == 0 {
		return nil
	}
	return t.open[len(t.open)-1]
}

// maxPath bounds the path in what is said, in levels.
const maxPath = 16

// path is where the innermost member stands.
func (t *twice) path() (path string) {
	for i, l := range t.open {
		switch {
		case i == maxPath:
			return path + "..."
		case l.names == nil:
			path += "[" + strconv.Itoa(l.index) + "]"
		case path == "":
			path = plain(l.name)
		default:
			path += "." + plain(l.name)
		}
	}
	return path
}
