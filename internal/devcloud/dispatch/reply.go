package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
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

// readReply reads the CloudEvent of a 2xx response. It returns nil without an error for a response that holds nothing.
func readReply(r *response) (*cloudevents.Event, error) {
	if r.overlong {
		return nil, errOverlong
	}
	message := cehttp.NewMessage(http.Header(r.header), io.NopCloser(bytes.NewReader(r.body)))
	switch message.ReadEncoding() {
	case binding.EncodingBinary, binding.EncodingStructured:
	default:
		if len(r.body) > 0 {
			return nil, errNotAnEvent
		}
		return nil, nil
	}
	event, err := binding.ToEvent(context.Background(), message)
	if err != nil || event.Validate() != nil {
		return nil, errNotAnEvent
	}
	return event, nil
}

// hops counts how many subscribers answered one another until this event came about.
func hops(event *cloudevents.Event) int {
	text, _ := event.Extensions()[extensionHops].(string)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
