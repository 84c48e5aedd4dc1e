package registryfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// split cuts a file into documents and leaves out those of nothing but comments. YAML and JSON may be mixed: the lines that
// separate YAML documents cannot be part of a JSON document. JSON documents may also follow each other without such a line.
func split(text []byte) ([][]byte, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var documents [][]byte
	var current []byte
	for line := range bytes.Lines(text) {
		rest, ok := afterMarker(line)
		if !ok {
			current = append(current, line...)
			continue
		}
		documents = appendDocuments(documents, current)
		current = append([]byte(nil), rest...)
	}
	documents = appendDocuments(documents, current)
	if len(documents) > MaxDocuments {
		return nil, fmt.Errorf("more than %d documents", MaxDocuments)
	}
	return documents, nil
}

// afterMarker returns what follows a document marker: three hyphens or dots at the begin of a line, wherever it stands
// (YAML 1.2, section 9.1.2).
func afterMarker(line []byte) (rest []byte, ok bool) {
	for _, marker := range []string{"---", "..."} {
		rest, found := bytes.CutPrefix(line, []byte(marker))
		if found && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0]))) {
			return rest, true
		}
	}
	return nil, false
}

// appendDocuments adds what stands between two markers: nothing, a YAML document, or any number of JSON documents.
func appendDocuments(documents [][]byte, text []byte) [][]byte {
	content := afterComments(text)
	if len(content) == 0 {
		return documents
	}
	if values := jsonValues(content); values != nil {
		return append(documents, values...)
	}
	return append(documents, text)
}

// afterComments returns a text from the first line on that is not blank, a comment or a directive.
func afterComments(text []byte) []byte {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) > 0 && trimmed[0] != '#' && line[0] != '%' {
			return text
		}
		text = rest
	}
	return nil
}

// jsonValues are the JSON objects of which a text consists; nil if it consists of anything else.
func jsonValues(text []byte) (values [][]byte) {
	if trimmed := bytes.TrimLeft(text, " \t\r"); trimmed[0] != '{' {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			return nil
		}
		values = append(values, value)
		// A comment may follow a document.
		if rest := afterComments(text[decoder.InputOffset():]); len(rest) == 0 {
			return values
		}
	}
}
