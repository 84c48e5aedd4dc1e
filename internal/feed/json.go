package feed

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/fairlead/fairlead/internal/event"
)

// AppendJSON writes the event in the JSON format of CloudEvents (version 1.0.2), on one line. Data is a JSON value where its content
// type is JSON and it is one, else base64.
func (e *Event) AppendJSON(b []byte) []byte {
	if e.structured != nil {
		line := bytes.NewBuffer(b)
		if json.Compact(line, e.structured) == nil {
			return line.Bytes()
		}
	}
	b = append(b, `{"specversion":"`...)
	b = append(b, e.SpecVersion...)
	b = append(b, '"')
	for i := range e.Attributes {
		a := &e.Attributes[i]
		b = append(b, ',', '"')
		b = append(b, a.Name...)
		b = append(b, '"', ':')
		b = event.AppendJSONText(b, a.Value)
	}
	if e.ContentType != nil {
		b = append(b, `,"datacontenttype":`...)
		b = event.AppendJSONText(b, e.ContentType)
	}
	return append(e.appendData(b), '}')
}

func (e *Event) appendData(b []byte) []byte {
	if len(e.Data) == 0 {
		return b
	}
	if event.IsJSON(string(e.ContentType)) {
		line := append(b, `,"data":`...)
		if compact, err := event.AppendJSON(line, e.Data); err == nil {
			return compact
		}
		// What others have written may be JSON that no device could send, such as a number beyond a double.
		if compact := bytes.NewBuffer(line); json.Compact(compact, e.Data) == nil {
			return compact.Bytes()
		}
	}
	b = append(b, `,"data_base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, e.Data)
	return append(b, '"')
}
