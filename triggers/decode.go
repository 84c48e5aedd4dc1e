package triggers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v2"
	strict "sigs.k8s.io/json"
)

// Bounds of one file.
const (
	// MaxFileBytes is the size of the largest file that is read.
	MaxFileBytes = 1 << 20
	// MaxDocuments is how many documents a file may hold, items of a List included.
	MaxDocuments = 1000
)

// A Document is one object of a file: a Trigger, a Broker, or something that was skipped.
type Document struct {
	File       string // as given to Decode
	Number     int    // of the YAML or JSON document in the file, from 1
	Item       int    // of a List's item, from 1; 0: not in a List
	APIVersion string
	Kind       string
	Name       string
	Trigger    *Trigger // one of the two, or
	Broker     *Broker
	Skipped    string // why the document is neither
}

// A DocumentError says which part of which file cannot be read.
type DocumentError struct {
	File     string
	Document int    // from 1; 0: the file as a whole
	Item     int    // of a List, from 1; 0: none
	Path     string // of the field, e.g. spec.filters[0].exct; "" if unknown
	Err      error
}

// Error names file, document and field.
func (e *DocumentError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Document > 0 {
		fmt.Fprintf(&b, ": document %d", e.Document)
	}
	if e.Item > 0 {
		fmt.Fprintf(&b, " item %d", e.Item)
	}
	if e.Path != "" {
		fmt.Fprintf(&b, ": %s", e.Path)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap is the reason alone.
func (e *DocumentError) Unwrap() error { return e.Err }

// Decode reads the documents of one file, YAML or JSON, and the items of Lists
// in it. name is for messages. Decoding is strict: a field that is unknown,
// written twice or of the wrong type is an error that names it. Documents of
// other kinds or versions are returned as skipped. Documents that cannot be read are
// left out and joined in the error, each as a *DocumentError; what follows a
// syntax error is not read.
func Decode(name string, r io.Reader) ([]Document, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
	if err != nil {
		return nil, &DocumentError{File: name, Err: err}
	}
	if len(text) > MaxFileBytes {
		return nil, &DocumentError{File: name, Err: fmt.Errorf("larger than %d bytes", MaxFileBytes)}
	}
	d := decoder{file: name}
	next := yamlDocuments(text)
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		next = jsonDocuments(text)
	}
	for number := 1; ; number++ {
		document, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			d.broken(number, err)
			break
		}
		if !d.room(number) {
			break
		}
		d.document(number, document)
	}
	return d.documents, errors.Join(d.errs...)
}

// jsonDocuments yields the JSON values of a text one after the other.
func jsonDocuments(text []byte) func() ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	return func() ([]byte, error) {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		return raw, err
	}
}

// yamlDocuments yields the YAML documents of a text as JSON.
func yamlDocuments(text []byte) func() ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.SetStrict(true)
	return func() (document []byte, err error) {
		defer func() {
			if r := recover(); r != nil {
				document, err = nil, fmt.Errorf("malformed YAML: %v", r)
			}
		}()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		budget := 4 * MaxFileBytes
		value, path, err := toJSON(value, &budget)
		if err != nil {
			return nil, &DocumentError{Path: path, Err: err}
		}
		return json.Marshal(value)
	}
}

// toJSON makes what encoding/json can write of what YAML can hold. budget
// bounds the bytes of text in the result: aliases can make a short YAML text
// stand for gigabytes. path tells where an error is.
func toJSON(value any, budget *int) (result any, path string, err error) {
	if *budget -= 8; *budget < 0 {
		return nil, "", errors.New("aliases make the document too large")
	}
	switch v := value.(type) {
	case string:
		*budget -= len(v)
	case []any:
		out := make([]any, len(v)) // an alias shares v, which must stay as it is
		for i := range v {
			if out[i], path, err = toJSON(v[i], budget); err != nil {
				return nil, joinPath(fmt.Sprintf("[%d]", i), path), err
			}
		}
		return out, "", nil
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			name, ok := key.(string)
			if !ok {
				return nil, "", fmt.Errorf("key %.40q is not a text: quote it", fmt.Sprint(key))
			}
			*budget -= len(name)
			if out[name], path, err = toJSON(item, budget); err != nil {
				return nil, joinPath(name, path), err
			}
		}
		return out, "", nil
	}
	return value, "", nil
}

// joinPath puts the name of a field, or an index, before a path below it.
func joinPath(head, tail string) string {
	if tail == "" || tail[0] == '[' {
		return head + tail
	}
	return head + "." + tail
}

// A decoder gathers the documents of one file.
type decoder struct {
	file      string
	documents []Document
	errs      []error
}

func (d *decoder) fail(number, item int, path string, err error) {
	d.errs = append(d.errs, &DocumentError{File: d.file, Document: number, Item: item, Path: path, Err: err})
}

// broken reports a document of which nothing can be read.
func (d *decoder) broken(number int, err error) {
	var where *DocumentError
	if errors.As(err, &where) {
		d.fail(number, 0, where.Path, where.Err)
		return
	}
	d.fail(number, 0, "", plain(err))
}

func (d *decoder) room(number int) bool {
	if len(d.documents)+len(d.errs) < MaxDocuments {
		return true
	}
	d.fail(number, 0, "", fmt.Errorf("more than %d documents", MaxDocuments))
	return false
}

// header is what tells which type a document has.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// document reads one document, or the items of one List.
func (d *decoder) document(number int, text []byte) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 0 || string(trimmed) == "null" {
		return // nothing between two separators
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		d.fail(number, 0, typePath(err), plain(err))
		return
	}
	if h.Kind != "List" && h.Kind != KindBroker+"List" && h.Kind != KindTrigger+"List" {
		d.object(number, 0, h, text)
		return
	}
	for i, item := range h.Items {
		if !d.room(number) {
			return
		}
		var h header
		if err := json.Unmarshal(item, &h); err != nil {
			d.fail(number, i+1, typePath(err), plain(err))
			continue
		}
		d.object(number, i+1, h, item)
	}
}

// object reads one object.
func (d *decoder) object(number, item int, h header, text []byte) {
	out := Document{File: d.file, Number: number, Item: item, APIVersion: h.APIVersion, Kind: h.Kind, Name: h.Metadata.Name}
	eventing := strings.HasPrefix(h.APIVersion, apiGroup+"/") && (h.Kind == KindBroker || h.Kind == KindTrigger)
	switch {
	case h.APIVersion == "" || h.Kind == "":
		d.fail(number, item, "", errors.New("apiVersion and kind are both needed"))
		return
	case eventing && h.APIVersion != APIVersion:
		out.Skipped = fmt.Sprintf("only %s of %s is read", APIVersion, h.Kind)
	case !eventing:
		out.Skipped = "neither a Broker nor a Trigger"
	case h.Kind == KindBroker:
		out.Broker = &Broker{}
		if !d.strict(number, item, text, out.Broker) {
			return
		}
	default:
		out.Trigger = &Trigger{}
		if !d.strict(number, item, text, out.Trigger) {
			return
		}
	}
	d.documents = append(d.documents, out)
}

// strict decodes as Kubernetes does with fieldValidation=Strict: names are
// case-sensitive, unknown and repeated fields are errors, each with its path.
func (d *decoder) strict(number, item int, text []byte, into any) bool {
	faults, err := strict.UnmarshalStrict(text, into)
	if err != nil {
		d.fail(number, item, typePath(err), plain(err))
		return false
	}
	for _, fault := range faults {
		path := ""
		var field strict.FieldError
		if errors.As(fault, &field) {
			path = field.FieldPath()
		}
		what, _, _ := strings.Cut(fault.Error(), ` "`)
		d.fail(number, item, path, errors.New(what))
	}
	return len(faults) == 0
}

// typePath is the field of which encoding/json complains, if any.
func typePath(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return wrong.Field
	}
	return ""
}

// plain says without Go's type names what encoding/json complains of.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("is a %s, want %s", wrong.Value, wrong.Type)
	}
	return err
}
