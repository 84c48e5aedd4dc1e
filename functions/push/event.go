package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
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

// A message is an event in binary content mode.
type message struct {
	header http.Header // attributes and content type, and nothing else
	body   []byte
}

// readMessage reads the event of a request, in either content mode. What is in binary mode stays as it is, attribute by attribute.
func readMessage(h http.Header, body []byte) (message, error) {
	contentType, ok := header.Single(h, header.ContentType)
	if !ok {
		return message{}, errors.New("the request has more than one content type")
	}
	switch kind, _, _ := mime.ParseMediaType(contentType); {
	case kind == structuredType:
		return structured(body)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return message{}, errors.New("the request holds no single event in JSON")
	}
	m := message{header: http.Header{}, body: body}
	for name, values := range h {
		if !strings.HasPrefix(name, attributePrefix) {
			continue
		}
		if len(values) != 1 {
			return message{}, fmt.Errorf("the attribute %.40q is there more than once", strings.ToLower(name))
		}
		m.header[name] = values
	}
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if m.header.Get(name) == "" {
			return message{}, fmt.Errorf("the request is no CloudEvent: %s is missing", strings.ToLower(name))
		}
	}
	if contentType != "" {
		m.header.Set(header.ContentType, contentType)
	}
	return m, nil
}

// structured reads an event in JSON.
func structured(body []byte) (message, error) {
	var e cloudevents.Event
	if json.Unmarshal(body, &e) != nil || e.Validate() != nil {
		return message{}, errors.New("the request is no CloudEvent in JSON")
	}
	m := message{header: http.Header{}, body: e.Data()}
	set := func(name, text string) {
		if text != "" {
			m.header.Set(attributePrefix+name, event.HeaderValue(text))
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
		m.header.Set(header.ContentType, kind)
	}
	return m, nil
}
