package migrate

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	documents = 500 // that are read at a time
	labels    = 500 // that are written at a time
)

// fillLabels makes the index of labels of the documents that are there already.
func fillLabels(ctx context.Context, tx *sql.Tx) error {
	if err := fill(ctx, tx, "applications", "application_labels", "CAST('' AS TEXT)"); err != nil {
		return fmt.Errorf("indexing the labels of applications: %w", err)
	}
	if err := fill(ctx, tx, "devices", "device_labels", "application"); err != nil {
		return fmt.Errorf("indexing the labels of devices: %w", err)
	}
	return nil
}

// A label is a row of an index.
type label struct{ application, name, key, value string }

// fill goes through a table in the order of its names, so that it never holds more than a few documents.
func fill(ctx context.Context, tx *sql.Tx, table, index, application string) error {
	var last label
	for {
		found, end, err := read(ctx, tx, table, application, last)
		if err != nil {
			return err
		}
		for len(found) > 0 {
			n := min(len(found), labels)
			if err := write(ctx, tx, index, found[:n]); err != nil {
				return err
			}
			found = found[n:]
		}
		if end == last {
			return nil
		}
		last = end
	}
}

// read gives the labels of the documents after the last one, and the last one of those.
func read(ctx context.Context, tx *sql.Tx, table, application string, last label) (found []label, end label, err error) {
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT %s, name, labels FROM %s WHERE labels <> '' AND (%s > $1 OR (%s = $1 AND name > $2)) ORDER BY %s, name LIMIT %d",
		application, table, application, application, application, documents), last.application, last.name)
	if err != nil {
		return nil, last, err
	}
	defer rows.Close()
	end = last
	for rows.Next() {
		var text string
		end = label{}
		if err := rows.Scan(&end.application, &end.name, &text); err != nil {
			return nil, last, err
		}
		var m map[string]string
		if json.Unmarshal([]byte(text), &m) != nil {
			return nil, last, fmt.Errorf("labels of %q do not parse", end.name)
		}
		for key, value := range m {
			if indexable(key) && indexable(value) {
				found = append(found, label{end.application, end.name, key, value})
			}
		}
	}
	return found, end, rows.Err()
}

// indexable tells whether a selector could ask for a text, or could as its opposite miss it: databases refuse others, or
// keys of such a length.
func indexable(text string) bool {
	const most = 316
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func write(ctx context.Context, tx *sql.Tx, index string, found []label) error {
	columns, width := "application, name, key, value", 4
	if found[0].application == "" {
		columns, width = "name, key, value", 3
	}
	var rows []string
	var parameters []any
	for _, l := range found {
		values := []any{l.application, l.name, l.key, l.value}[4-width:]
		names := make([]string, width)
		for i := range names {
			names[i] = fmt.Sprintf("$%d", len(parameters)+i+1)
		}
		rows = append(rows, "("+strings.Join(names, ", ")+")")
		parameters = append(parameters, values...)
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", index, columns, strings.Join(rows, ", ")), parameters...)
	return err
}
