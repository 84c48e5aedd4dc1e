package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/header"
)

// attributePrefix begins the headers that are attributes of an event in binary content mode (CloudEvents HTTP protocol binding
// 1.0.2, section 3.1), as net/http spells them.
const attributePrefix = "Ce-"

const structuredType = "application/cloudevents+json"

// A Message is an event in binary content mode.
type Message struct {
	Header http.Header // attributes and content type, and nothing else
	Body   []byte
}

// Attribute is the value of an attribute or extension, without the encoding of header fields (section 3.1.3.2); "" if the event has
// none. The name is in lower case.
func (m *Message) Attribute(name string) string {
	field := m.Header.Get(attributePrefix + name)
	if text, err := url.PathUnescape(field); err == nil {
		return text
	}
	return field
}

// Read reads the event of a request, in either content mode. What is in binary mode stays as it is, attribute by attribute.
func Read(h http.Header, body []byte) (Message, error) {
	contentType, ok := header.Single(h, header.ContentType)
	if !ok {
		return Message{}, errors.New("the request has more than one content type")
	}
	switch kind, _, _ := mime.ParseMediaType(contentType); {
	case kind == structuredType:
		return structured(body)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return Message{}, errors.New("the request holds no single event in JSON")
	}
	m := Message{Header: http.Header{}, Body: body}
	for name, values := range h {
		if !strings.HasPrefix(name, attributePrefix) {
			continue
		}
		if len(values) != 1 {
			return Message{}, fmt.Errorf("the attribute %.40q is there more than once", strings.ToLower(name))
		}
		m.Header[name] = values
	}
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if m.Header.Get(name) == "" {
			return Message{}, fmt.Errorf("the request is no CloudEvent: %s is missing", strings.ToLower(name))
		}
	}
	if contentType != "" {
		m.Header.Set(header.ContentType, contentType)
	}
	return m, nil
}

// structured reads an event in JSON.
func structured(body []byte) (Message, error) {
	var e cloudevents.Event
	if json.Unmarshal(body, &e) != nil || e.Validate() != nil {
		return Message{}, errors.New("the request is no CloudEvent in JSON")
	}
	m := Message{Header: http.Header{}, Body: e.Data()}
	set := func(name, text string) {
		if text != "" {
			m.Header.Set(attributePrefix+name, event.HeaderValue(text))
		}
	}
	set("specversion", e.SpecVersion())
	set("id", e.ID())
	set("source", e.Source())
	set("type", e.Type())
	set("subject", e.Subject())
	set("dataschema", e.DataSchema())
	if !e.Time().IsZero() {
		set("time", e.Time().Format(time.RFC3339Nano))
	}
	for name, value := range e.Extensions() {
		if text, err := types.Format(value); err == nil {
			set(name, text)
		}
	}
	if kind := e.DataContentType(); kind != "" {
		m.Header.Set(header.ContentType, kind)
	}
	return m, nil
}
