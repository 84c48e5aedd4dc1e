package dispatch

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

const (
	// MaxHops is how many subscribers may answer one another before a reply is dropped.
	MaxHops = 8

	extensionHops = "fairleadhops"
)

var (
	errNotAnEvent = errors.New("the response has a body that is not a CloudEvent")
	errOverlong   = fmt.Errorf("the response is longer than %d bytes", maxReply)
)

// readReply reads the CloudEvent of a 2xx response. It returns nil without an error for a response without a body that is no
// event, whatever its headers say.
func readReply(r *response) (*triggers.Event, error) {
	if r.overlong {
		return nil, errOverlong
	}
	event, err := EventOf(responseMessage(r))
	switch {
	case err == nil:
		return event, nil
	case len(r.body) == 0:
		return nil, nil
	}
	return nil, errNotAnEvent
}

func responseMessage(r *response) *stream.Message {
	m := &stream.Message{Data: r.body}
	for name, values := range r.header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), attributeHeader)
		if !ok || attribute == "" || attribute == "specversion" {
			continue
		}
		for _, value := range values {
			m.Add(attribute, latin1(value))
		}
	}
	m.SpecVersion = r.header.Get(attributeHeader + "specversion")
	if values := r.header.Values("Content-Type"); len(values) > 0 {
		m.ContentType = latin1(values[0])
		m.Add("datacontenttype", latin1(values[len(values)-1]))
	}
	return m
}

// latin1 is a header's value as the Kafka dispatcher reads it: each byte is a character. It does not undo percent-encoding.
func latin1(value string) string {
	if strings.IndexFunc(value, func(r rune) bool { return r > 0x7f }) < 0 {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

// hops counts how many subscribers answered one another until this event came about.
func hops(event *triggers.Event) int {
	text, _ := event.Text(extensionHops)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// deadLetterHeaders are the headers of a refusal that become extensions of the dead letter: names in lower case without
// the prefix, and the last value of each.
func deadLetterHeaders(header http.Header, set func(name, value string)) {
	for name, values := range header {
		if name, ok := strings.CutPrefix(strings.ToLower(name), errorHeader); ok && name != "" {
			set(name, latin1(values[len(values)-1]))
		}
	}
}
