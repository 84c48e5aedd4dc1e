package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxProblems bounds what is said of one document.
const MaxProblems = 20

// A Problem is something in a valid document that is probably not what its writer meant. It holds names of members, and
// none of their values.
type Problem struct {
	Path string // as spec.authentication.credentials[0].user
	Text string
}

// String gives the problem in one line of ASCII.
func (p Problem) String() string { return p.Path + ": " + p.Text }

// CheckApplication finds what Validate lets pass although it has no effect, or another one than it seems to have: unknown
// members of known sections, names that are nearly those of sections, members without a value, trust anchors that
// cannot be used.
func CheckApplication(a *Application) []Problem {
	c := &checker{}
	c.sections(a.Spec, applicationSections, deviceSections, "devices")
	if anchors, err := ResolveTrustAnchors(a.Spec); err == nil {
		for i, anchor := range anchors.Anchors {
			if anchor.Invalid != nil {
				c.say(fmt.Sprintf("spec.%s.anchors[%d].certificate", SectionTrustAnchors, i), anchor.Invalid.Message)
			}
		}
	}
	if r, err := a.DeviceRegistration(); err == nil {
		for _, problem := range CheckDevice(r.Template.device(a.Metadata.Name, "")) {
			c.say("spec."+SectionDeviceRegistration+".template."+problem.Path, problem.Text)
		}
	}
	return c.found
}

// CheckDevice finds in a device what CheckApplication finds in an application. Credentials that admit nobody are among it.
func CheckDevice(d *Device) []Problem {
	c := &checker{}
	c.sections(d.Spec, deviceSections, applicationSections, "applications")
	_, present := d.Spec[SectionAuthentication]
	if _, old := d.Spec[SectionCredentials]; old && present {
		c.say("spec."+SectionCredentials, "is not read, since there is spec."+SectionAuthentication)
	}
	return c.found
}

// A shape says what a value may be.
type shape struct {
	kind    string            // what the value is; "" is anything
	members map[string]*shape // of an object; none is any
	each    *shape            // of a list's elements, or of an object's members that have any name
	needs   []string          // members without which an object has no effect
	oneOf   bool              // an object has exactly one member
	check   func(json.RawMessage) string
}

// Kinds of values.
const (
	isText   = "a text"
	isFlag   = "true or false"
	isList   = "a list"
	isObject = "an object"
)

// inQuotes is said of a text that is something else, which in YAML a number is, or yes.
var inQuotes = map[string]string{isText: ", in quotes"}

type checker struct{ found []Problem }

func (c *checker) say(path, text string) {
	if len(c.found) < MaxProblems {
		c.found = append(c.found, Problem{path, text})
	}
}

// sections looks at the known sections, and at the names of the others.
func (c *checker) sections(spec Sections, known, elsewhere map[string]*shape, of string) {
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		path := "spec." + plain(name)
		if s, ok := known[name]; ok {
			c.value(path, spec[name], s)
			continue
		}
		if _, ok := elsewhere[name]; ok {
			c.say(path, "is a section of "+of+" only")
			continue
		}
		if near := Nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
			c.say(path, "is no section that is read; is "+near+" meant?")
		}
	}
}

func (c *checker) value(path string, raw json.RawMessage, s *shape) {
	is := kindOf(raw)
	switch {
	case is == "":
		c.say(path, "has no value; leave it out, or give it one")
	case s.kind != "" && s.kind != is:
		c.say(path, "must be "+s.kind+inQuotes[s.kind])
	case is == isObject:
		c.object(path, raw, s)
	case is == isList && s.each != nil:
		var elements []json.RawMessage
		_ = json.Unmarshal(raw, &elements) // which is valid, as it was read before
		for i, element := range elements {
			c.value(path+"["+strconv.Itoa(i)+"]", element, s.each)
		}
	}
	if s.check == nil || is == "" || (s.kind != "" && s.kind != is) {
		return
	}
	if text := s.check(raw); text != "" {
		c.say(path, text)
	}
}

func (c *checker) object(path string, raw json.RawMessage, s *shape) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		of, at := s.members[name], path+"."+plain(name)
		switch {
		case of != nil:
			c.value(at, members[name], of)
		case s.each != nil:
			c.value(at, members[name], s.each)
		case s.members != nil:
			c.unknown(at, name, slices.Sorted(maps.Keys(s.members)))
		}
	}
	for _, name := range s.needs {
		if _, ok := members[name]; !ok {
			c.say(path, "lacks "+name)
		}
	}
	if s.oneOf && len(members) != 1 {
		c.say(path, "must have exactly one of "+strings.Join(slices.Sorted(maps.Keys(s.members)), ", "))
	}
}

func (c *checker) unknown(path, name string, known []string) {
	near := Nearest(name, known)
	for _, candidate := range known {
		if near == "" && strings.HasPrefix(strings.ToLower(name), candidate) {
			near = candidate
		}
	}
	if near != "" {
		c.say(path, "is not known; is "+near+" meant?")
		return
	}
	c.say(path, "is not known; known are "+strings.Join(known, ", "))
}

// kindOf tells what a value is; "" is null.
func kindOf(raw json.RawMessage) string {
	switch text := strings.TrimSpace(string(raw)); {
	case text == "" || text == "null":
		return ""
	case text[0] == '{':
		return isObject
	case text[0] == '[':
		return isList
	case text[0] == '"':
		return isText
	case text[0] == 't' || text[0] == 'f':
		return isFlag
	default:
		return "a number"
	}
}

// plain is a name as a part of a path: it may be anything.
func plain(name string) string {
	const most = 64
	for i, r := range name {
		if i >= most || (!isAlphanumeric(r) && r != '_' && r != '-' && r != '.' && r != '/') {
			return strconv.QuoteToASCII(name[:min(len(name), most)])
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
