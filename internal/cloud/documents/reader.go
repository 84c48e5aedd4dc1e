package documents

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	// MaxText bounds the text between two markers, in bytes. A list of any length may stand there, but not within items.
	MaxText = 64 << 20

	window = 64 << 10 // bytes that are looked ahead
)

// A Document is the text of one resource, YAML or JSON.
type Document struct {
	Text []byte
	Line int // at which it begins, from 1 on
}

// An Error is about one place. What follows may be read if it is not Fatal.
type Error struct {
	Line  int
	Err   error
	Fatal bool
}

// Error says where.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives what is wrong there.
func (e *Error) Unwrap() error { return e.Err }

var errTooLarge = fmt.Errorf("larger than %d bytes", MaxText)

// A Reader cuts a stream into documents.
type Reader struct {
	in   *bufio.Reader
	line int // of the next byte

	array    bool // within a JSON array
	element  bool // of which an element was read
	sequence bool // within a YAML sequence, whose next item begins in the next line

	items []Document // of an object with a list, yet to be given out
}

// NewReader makes a reader.
func NewReader(from io.Reader) *Reader {
	r := &Reader{in: bufio.NewReaderSize(from, window), line: 1}
	if mark, err := r.in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = r.in.Discard(3)
	}
	return r
}

// Next gives the next document, io.EOF after the last one, and otherwise an *Error or an error of the stream.
func (r *Reader) Next() (Document, error) {
	for len(r.items) == 0 {
		d, err := r.next()
		if err != nil {
			return Document{}, err
		}
		if r.items, err = expand(d); err != nil {
			return Document{}, err
		}
	}
	d := r.items[0]
	r.items = r.items[1:]
	return d, nil
}

// next gives a document as it stands there.
func (r *Reader) next() (Document, error) {
	for {
		switch {
		case r.array:
			d, err := r.nextElement()
			if err != nil || d.Text != nil {
				return d, err
			}
			continue
		case r.sequence:
			return r.readYAML(true)
		}
		begin, err := r.begin()
		if err != nil {
			return Document{}, err
		}
		switch begin {
		case nothing:
		case jsonObject:
			return r.readJSON()
		case jsonArray:
			r.discard(1)
			r.array, r.element = true, false
		case yamlSequence:
			r.sequence = true
		case yamlText:
			d, err := r.readYAML(false)
			if err != nil || len(bytes.TrimSpace(d.Text)) > 0 {
				return d, err
			}
		}
	}
}

// A beginning is how a document begins.
type beginning int

const (
	nothing beginning = iota // a comment, a marker or space, which was left out
	jsonObject
	jsonArray
	yamlSequence
	yamlText
)

// begin looks at what comes.
func (r *Reader) begin() (beginning, error) {
	ahead, err := r.in.Peek(window)
	if len(ahead) == 0 {
		return nothing, err
	}
	if marker(ahead) {
		r.discard(3)
		return nothing, nil
	}
	if ahead[0] == '%' { // a YAML directive
		return nothing, r.skipLine()
	}
	text := bytes.TrimLeft(ahead, " \t\r")
	if len(text) == 0 {
		r.discard(len(ahead))
		return nothing, nil
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	switch {
	case text[0] == '\n':
		r.discard(len(ahead) - len(text) + 1)
		return nothing, nil
	case text[0] == '#':
		return nothing, r.skipLine()
	case text[0] == '{' && startsObject(rest):
		r.discard(len(ahead) - len(text))
		return jsonObject, nil
	case text[0] == '[' && (bytes.HasPrefix(rest, []byte("]")) || (bytes.HasPrefix(rest, []byte("{")) && startsObject(bytes.TrimLeft(rest[1:], " \t\r\n")))):
		r.discard(len(ahead) - len(text))
		return jsonArray, nil
	case dash(ahead):
		return yamlSequence, nil
	default:
		return yamlText, nil
	}
}

// startsObject tells JSON from YAML's own braces by what follows the first one.
func startsObject(rest []byte) bool {
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}')
}

// marker tells whether a line begins with three hyphens or dots, which end a document wherever they stand (YAML 1.2, 9.1.2).
func marker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0
}

// dash tells whether a line begins an item of a sequence that is not indented.
func dash(line []byte) bool {
	return len(line) > 1 && line[0] == '-' && strings.IndexByte(" \t\r\n", line[1]) >= 0
}

// discard leaves bytes out that were looked at.
func (r *Reader) discard(n int) {
	ahead, _ := r.in.Peek(n)
	r.line += bytes.Count(ahead, []byte("\n"))
	_, _ = r.in.Discard(n)
}

func (r *Reader) skipLine() error {
	for {
		_, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			r.line++
		case errors.Is(err, io.EOF):
			err = nil
		}
		return err
	}
}

// readYAML reads lines up to a marker or, in a sequence, up to the next item.
func (r *Reader) readYAML(item bool) (Document, error) {
	d := Document{Line: r.line}
	large := false
	for first := true; ; first = false {
		ahead, err := r.in.Peek(4)
		if len(ahead) == 0 && !errors.Is(err, io.EOF) {
			return Document{}, err
		}
		ends := len(ahead) == 0 || (!first && marker(ahead))
		if next := !first && item && dash(ahead); ends || next {
			r.sequence = next
			break
		}
		if err := r.readLine(&d.Text, &large); err != nil {
			return Document{}, err
		}
		if first && item {
			d.Text[0] = ' ' // in the place of the hyphen, so that the item keeps its indentation
		}
	}
	if large {
		return Document{}, &Error{Line: d.Line, Err: errTooLarge}
	}
	return d, nil
}

// readLine appends a line, unless the text has become too large.
func (r *Reader) readLine(text *[]byte, large *bool) error {
	for {
		part, err := r.in.ReadSlice('\n')
		if len(*text)+len(part) > MaxText {
			*large = true
		} else if !*large {
			*text = append(*text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			r.line++
		case errors.Is(err, io.EOF):
			err = nil
		}
		return err
	}
}

// nextElement reads an element of a JSON array; none, if the array ends here.
func (r *Reader) nextElement() (Document, error) {
	comma := false
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			return Document{}, r.cut(err)
		}
		switch b {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		case ',':
			if comma || !r.element {
				return Document{}, r.fatal("a list with nothing before a comma")
			}
			comma = true
		case ']':
			if comma {
				return Document{}, r.fatal("a list with nothing after a comma")
			}
			r.array = false
			return Document{}, nil
		case '{':
			if r.element && !comma {
				return Document{}, r.fatal("a list without a comma")
			}
			r.element = true
			_ = r.in.UnreadByte()
			return r.readJSON()
		default:
			return Document{}, r.fatal("a list of something other than objects")
		}
	}
}

func (r *Reader) fatal(text string) error {
	return &Error{Line: r.line, Err: errors.New(text), Fatal: true}
}

// cut is for a stream that ends too early.
func (r *Reader) cut(err error) error {
	if errors.Is(err, io.EOF) {
		return r.fatal("the file ends in the middle of a document")
	}
	return err
}

// readJSON reads an object as far as its brackets go. Whether it is JSON shows when it is decoded.
func (r *Reader) readJSON() (Document, error) {
	d := Document{Line: r.line}
	depth, quoted, escaped, large := 0, false, false, false
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			return Document{}, r.cut(err)
		}
		if large = large || len(d.Text) == MaxText; !large {
			d.Text = append(d.Text, b)
		}
		switch {
		case b == '\n':
			r.line++
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = b == '\\', b != '"'
		case b == '"':
			quoted = true
		case b == '{', b == '[':
			depth++
		case b == '}', b == ']':
			depth--
		}
		if depth > 0 {
			continue
		}
		if large {
			return Document{}, &Error{Line: d.Line, Err: errTooLarge}
		}
		return d, nil
	}
}

// expand gives the documents of a list, and otherwise the document itself.
func expand(d Document) ([]Document, error) {
	if !bytes.Contains(d.Text, []byte("items")) && d.Text[0] != '[' {
		return []Document{d}, nil
	}
	text := d.Text
	if !json.Valid(text) {
		var err error
		if text, err = yaml.YAMLToJSONStrict(text); err != nil {
			return []Document{d}, nil // whoever decodes it says what is wrong
		}
	}
	items, ok := listed(text)
	if !ok {
		return []Document{d}, nil
	}
	all := make([]Document, len(items))
	for i, item := range items {
		all[i] = Document{Text: item, Line: d.Line}
	}
	return all, nil
}

// listed gives the items of a list: an array, or an object that has items and is no resource.
func listed(text []byte) (items []json.RawMessage, ok bool) {
	if json.Unmarshal(text, &items) == nil && items != nil {
		return items, true
	}
	var list struct {
		Kind     string            `json:"kind"`
		Items    []json.RawMessage `json:"items"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(text, &list) != nil || list.Items == nil || list.Metadata.Name != "" {
		return nil, false
	}
	return list.Items, list.Kind == "" || strings.HasSuffix(list.Kind, "List")
}
