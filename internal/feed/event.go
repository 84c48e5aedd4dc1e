package feed

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/triggers"
)

// maxAttributes is how many attributes an event may have.
const maxAttributes = 256

// An Attribute is an attribute of an event but specversion and datacontenttype. Its value is text.
type Attribute struct {
	Name  string
	Value []byte
}

// An Event is a CloudEvent as a record holds it. It lies in the record, and may be used again for another one.
type Event struct {
	Partition   int32
	Offset      int64
	SpecVersion string
	ContentType []byte // datacontenttype; nil if there is none
	Attributes  []Attribute
	Data        []byte

	structured []byte // the whole event, where the record holds it as one document
	channel    []byte // subject
	device     []byte // extension device
}

var (
	errSpecVersion = errors.New("it has no specversion that is known")
	errMode        = errors.New("it is neither in binary mode nor one event as JSON")
	errName        = errors.New("an attribute has a name that none may have")
	errValue       = errors.New("an attribute is not UTF-8")
	errMissing     = errors.New("it lacks one of id, source and type")
	errTooMany     = errors.New("it has too many attributes")
)

// Decode reads the event of a record. The error tells why there is none, and holds nothing of the record.
func (e *Event) Decode(record *kgo.Record) error {
	*e = Event{Partition: record.Partition, Offset: record.Offset, Attributes: e.Attributes[:0], Data: record.Value}
	for i := range record.Headers {
		h := &record.Headers[i]
		switch {
		case h.Key == "content-type":
			e.ContentType = h.Value
		case h.Key == "ce_specversion":
			e.SpecVersion = version(h.Value)
		case strings.HasPrefix(h.Key, "ce_"):
			if err := e.set(h.Key[len("ce_"):], h.Value); err != nil {
				return err
			}
		}
	}
	if bytes.HasPrefix(e.ContentType, []byte("application/cloudevents")) {
		return e.decodeStructured()
	}
	if e.SpecVersion == "" {
		return errSpecVersion
	}
	return e.validate()
}

// version is a version of CloudEvents that is known.
func version(text []byte) string {
	switch string(text) {
	case "1.0":
		return "1.0"
	case "0.3":
		return "0.3"
	default:
		return ""
	}
}

// set sets an attribute. Of two with the same name the later one holds.
func (e *Event) set(name string, value []byte) error {
	if !validName(name) {
		return errName
	}
	for i := range e.Attributes {
		if e.Attributes[i].Name == name {
			e.Attributes[i].Value = value
			return nil
		}
	}
	if len(e.Attributes) == maxAttributes {
		return errTooMany
	}
	e.Attributes = append(e.Attributes, Attribute{name, value})
	return nil
}

func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	switch name { // these stand for something else in the JSON format
	case "", "data", "datacontenttype", "specversion":
		return false
	}
	return true
}

// validate checks what every reader of an event relies on, and notes what filters look at.
func (e *Event) validate() error {
	required := 0
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if !utf8.Valid(a.Value) {
			return errValue
		}
		switch a.Name {
		case "id", "source", "type":
			if len(a.Value) > 0 {
				required++
			}
		case "subject":
			e.channel = a.Value
		case "device":
			e.device = a.Value
		}
	}
	switch {
	case required != 3:
		return errMissing
	case !utf8.Valid(e.ContentType):
		return errValue
	}
	return nil
}

// decodeStructured reads a record that holds the event as one document.
func (e *Event) decodeStructured() error {
	media, _, _ := bytes.Cut(e.ContentType, []byte(";"))
	if string(media) != "application/cloudevents+json" {
		return errMode
	}
	document := e.Data
	read, err := triggers.EventFromJSON(document)
	if err != nil {
		return err
	}
	e.SpecVersion, e.ContentType, e.Attributes, e.Data = read.SpecVersion(), nil, e.Attributes[:0], read.Data()
	read.Attributes(func(name, text string) {
		if name == "datacontenttype" {
			e.ContentType = []byte(text)
		} else if setErr := e.set(name, []byte(text)); setErr != nil {
			err = setErr
		}
	})
	if err != nil {
		return err
	}
	e.structured = document
	return e.validate()
}

// A Filter says which events somebody wants; "" is any.
type Filter struct {
	Channel string
	Device  string
}

// Matches tells whether an event is wanted.
func (f *Filter) Matches(e *Event) bool {
	return (f.Channel == "" || f.Channel == string(e.channel)) && (f.Device == "" || f.Device == string(e.device))
}

// Channel is the channel of the event; nil if there is none.
func (e *Event) Channel() []byte { return e.channel }

// Device is the device that the event is about; nil if there is none.
func (e *Event) Device() []byte { return e.device }
