package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/registry"
)

// A row is a document as the tables hold it. Maps and lists are JSON in text columns: PostgreSQL's jsonb would refuse
// some valid JSON (\u0000) and give documents back in other words, and nothing in a document is searched by SQL. Labels
// are JSON, too: a selector (k in (…), !k) needs an index of single labels, which is a table beside the document and
// not a type of this column.
type row struct {
	name, application string
	uid               string
	created           int64 // microseconds since 1970, which is as precise as both databases and RFC 3339 documents are
	generation        int64
	resourceVersion   string
	revision          int64
	deleted           sql.NullInt64 // microseconds since 1970

	// JSON, or "" for none.
	finalizers, labels, annotations, spec, status string
}

type scanner interface{ Scan(...any) error }

func (r *row) scan(from scanner) error {
	return from.Scan(&r.name, &r.application, &r.uid, &r.created, &r.generation, &r.resourceVersion, &r.revision, &r.deleted,
		&r.finalizers, &r.labels, &r.annotations, &r.spec, &r.status)
}

// key is the parameters for the key columns.
func (r *row) key() []any {
	if r.application == "" {
		return []any{r.name}
	}
	return []any{r.name, r.application}
}

// values is the parameters for columns and the key.
func (r *row) values() []any {
	return append([]any{r.uid, r.created, r.generation, r.resourceVersion, r.revision, r.deleted,
		r.finalizers, r.labels, r.annotations, r.spec, r.status}, r.key()...)
}

// encode makes a row of what the writer of a document decides. The rest (uid, times, versions) is the store's.
func encode(m *registry.Metadata, spec, status registry.Sections) (*row, error) {
	r := &row{name: m.Name, application: m.Application}
	for _, part := range []struct {
		path  string
		into  *string
		value any
		empty bool
	}{
		{"metadata.finalizers", &r.finalizers, m.Finalizers, len(m.Finalizers) == 0},
		{"metadata.labels", &r.labels, m.Labels, len(m.Labels) == 0},
		{"metadata.annotations", &r.annotations, m.Annotations, len(m.Annotations) == 0},
		{"spec", &r.spec, spec, len(spec) == 0},
		{"status", &r.status, status, len(status) == 0},
	} {
		if part.empty {
			continue
		}
		text, err := encodePart(part.value)
		if err != nil {
			return nil, invalid(fmt.Errorf("%s: %w", part.path, err))
		}
		*part.into = text
	}
	return r, nil
}

func encodePart(value any) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // documents come back as they were written
	if err := encoder.Encode(value); err != nil {
		return "", errNotJSON // the cause would quote the content
	}
	text := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	if len(text) > registry.MaxDocument {
		return "", fmt.Errorf("larger than %d bytes", registry.MaxDocument)
	}
	if !utf8.Valid(text) {
		return "", errNotUTF8 // which PostgreSQL does not store
	}
	return string(text), nil
}

// decode is the opposite of encode.
func (r *row) decode(m *registry.Metadata, spec, status *registry.Sections) error {
	*m = registry.Metadata{
		Name:              r.name,
		Application:       r.application,
		UID:               r.uid,
		CreationTimestamp: time.UnixMicro(r.created).UTC(),
		Generation:        uint64(r.generation),
		ResourceVersion:   r.resourceVersion,
		Revision:          uint64(r.revision),
	}
	if r.deleted.Valid {
		deleted := time.UnixMicro(r.deleted.Int64).UTC()
		m.DeletionTimestamp = &deleted
	}
	for _, part := range []struct {
		column, text string
		into         any
	}{
		{"finalizers", r.finalizers, &m.Finalizers},
		{"labels", r.labels, &m.Labels},
		{"annotations", r.annotations, &m.Annotations},
		{"spec", r.spec, spec},
		{"status", r.status, status},
	} {
		if part.text == "" {
			continue
		}
		if json.Unmarshal([]byte(part.text), part.into) != nil {
			return fmt.Errorf("column %s of document %s does not parse", part.column, r.uid)
		}
	}
	return nil
}

// sameJSON tells whether two values say the same, however they are written.
func sameJSON(a, b string) bool {
	return a == b || canonical(a) == canonical(b)
}

// canonical sorts the members of all objects and keeps numbers as they are written.
func canonical(text string) string {
	if text == "" {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(sorted)
}
