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
		b = appendQuoted(b, a.Value)
	}
	if e.ContentType != nil {
		b = append(b, `,"datacontenttype":`...)
		b = appendQuoted(b, e.ContentType)
	}
	return append(e.appendData(b), '}')
}

func (e *Event) appendData(b []byte) []byte {
	if len(e.Data) == 0 {
		return b
	}
	if event.IsJSON(string(e.ContentType)) && json.Valid(e.Data) {
		b = append(b, `,"data":`...)
		if bytes.IndexByte(e.Data, '\n') < 0 && bytes.IndexByte(e.Data, '\r') < 0 {
			return append(b, e.Data...)
		}
		line := bytes.NewBuffer(b)
		_ = json.Compact(line, e.Data) // is valid
		return line.Bytes()
	}
	b = append(b, `,"data_base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, e.Data)
	return append(b, '"')
}

// appendQuoted writes a JSON string. The text is UTF-8.
func appendQuoted(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, text[from:i]...)
		if c < ' ' {
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
		from = i + 1
	}
	b = append(b, text[from:]...)
	return append(b, '"')
}
