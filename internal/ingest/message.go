package ingest

import "time"

// A Message is what a device said, whatever the protocol. Body is only borrowed until Publish returns.
type Message struct {
	ID          string            // of the event; "" makes one
	Time        time.Time         // when it happened; zero is now
	Type        string            // event type; "" is event.TypeMessage
	Channel     string            // becomes the subject; never ""
	ContentType string            // media type as declared; "" detects JSON
	DataSchema  string            // absolute URI; "" for none
	Extensions  map[string]string // further CloudEvents extensions; names of the pipeline's own attributes are refused
	Body        []byte
	Correlation string // of the command that the message answers; "" for none

	Protocol string    // that it came over, for metrics; a name of internal/refusal
	Received time.Time // when the request came that brought it, for metrics; zero is when it is published
}
