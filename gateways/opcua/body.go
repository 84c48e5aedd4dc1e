package opcua

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

// appendTime appends a member with a time, if there is one.
func appendTime(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	return append(t.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
}

// appendValue appends the value of a node as an object. Properties are its unit and its range, with a comma before each.
func appendValue(dst []byte, v *opcua.DataValue, properties []byte) []byte {
	dst = v.Value.AppendJSON(append(dst, `{"value":`...), opcua.Plain)
	dst = opcua.AppendText(append(dst, `,"type":`...), v.Value.Type())
	dst = opcua.AppendText(append(dst, `,"status":`...), v.Status.String())
	if v.Status.Overflow() {
		dst = append(dst, `,"overflow":true`...)
	}
	dst = appendTime(dst, "sourceTimestamp", v.SourceTime)
	dst = appendTime(dst, "serverTimestamp", v.ServerTime)
	return append(append(dst, properties...), '}')
}

// appendEvent appends the fields of an event as an object, without those that are null.
func appendEvent(dst []byte, fields []mapping.EventField, values []opcua.Variant) []byte {
	dst = append(dst, '{')
	first := true
	for i, f := range fields {
		if i >= len(values) || values[i].IsNull() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(opcua.AppendText(dst, f.Name), ':')
		dst = values[i].AppendJSON(dst, opcua.Plain)
	}
	return append(dst, '}')
}

// A lossBody is the body of the event that says that messages of a server are missing.
type lossBody struct {
	Server   string     `json:"server"`
	Messages *int       `json:"messages"` // null is an unknown number, which may be none
	Since    *time.Time `json:"since,omitempty"`
	Reason   string     `json:"reason"`
}

func newLossBody(server string, l opcua.Loss) []byte {
	b := lossBody{Server: server, Reason: l.Reason}
	if l.Messages > 0 {
		b.Messages = &l.Messages
	}
	if !l.Since.IsZero() {
		utc := l.Since.UTC()
		b.Since = &utc
	}
	text, _ := json.Marshal(b) // texts, numbers and times
	return text
}

// A response is the body of the answer to a command.
type response struct {
	Command string            `json:"command"`
	Status  string            `json:"status"`            // symbolic name of the status code
	Code    uint32            `json:"code"`              // status code
	Reason  string            `json:"reason,omitempty"`  // why it was not asked of the server, was no good request, or is not shown whole
	Inputs  []string          `json:"inputs,omitempty"`  // status of each argument, if one is wrong
	Outputs []json.RawMessage `json:"outputs,omitempty"` // of a method
}

// body is the response as JSON. What belongs to arguments is left out if it would have more than most bytes.
func (r *response) body(most int) []byte {
	text, err := json.Marshal(r)
	switch {
	case err != nil: // an output that is no JSON
		return r.short("the outputs cannot be shown")
	case len(text) > most:
		return r.short(fmt.Sprintf("inputs and outputs are left out: with them the response has more than %d bytes", most))
	default:
		return text
	}
}

// short is the response without what belongs to arguments.
func (r *response) short(reason string) []byte {
	text, _ := json.Marshal(response{Command: r.Command, Status: r.Status, Code: r.Code, Reason: reason}) // texts and a number
	return text
}
