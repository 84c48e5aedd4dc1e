package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// relabel takes the index of labels from those of an earlier version of the document, as the column has them, to those
// of the row.
func (w *writer) relabel(ctx context.Context, c *collection, r *row, before string) error {
	if r.labels == before {
		return nil
	}
	old, err := labels(before)
	if err != nil {
		return err
	}
	now, err := labels(r.labels)
	if err != nil {
		return err
	}
	var gone []string
	for key, value := range old {
		if present, ok := now[key]; ok && present == value {
			delete(now, key)
			continue
		}
		gone = append(gone, key)
	}
	if err := w.unlabel(ctx, c, r, gone); err != nil {
		return err
	}
	return w.label(ctx, c, r, now)
}

func (w *writer) unlabel(ctx context.Context, c *collection, r *row, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	owner := r.key()
	statement := fmt.Sprintf("DELETE FROM %s WHERE %s AND key IN (%s)", c.labels, where(0, c.key), placeholdersFrom(len(owner), len(keys)))
	for _, key := range keys {
		owner = append(owner, key)
	}
	_, err := w.execute(ctx, statement, owner...)
	return err
}

func (w *writer) label(ctx context.Context, c *collection, r *row, added map[string]string) error {
	if len(added) == 0 {
		return nil
	}
	owner := r.key()
	var parameters []any
	var rows []string
	for _, key := range slices.Sorted(maps.Keys(added)) { // all in the same order, for the sake of the indexes
		rows = append(rows, "("+placeholdersFrom(len(parameters), len(owner)+2)+")")
		parameters = append(append(parameters, owner...), key, added[key])
	}
	statement := fmt.Sprintf("INSERT INTO %s (%s, key, value) VALUES %s", c.labels, strings.Join(c.key, ", "), strings.Join(rows, ", "))
	_, err := w.execute(ctx, statement, parameters...)
	return err
}

// labels reads the column; "" has none.
func labels(column string) (map[string]string, error) {
	if column == "" {
		return nil, nil
	}
	var m map[string]string
	if json.Unmarshal([]byte(column), &m) != nil {
		return nil, fmt.Errorf("column labels does not parse")
	}
	return m, nil
}
