package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	_, err := w.insert(ctx, &c.label, labelRows(r, added))
	return err
}

// labelRows are rows of the index, all in the same order, for the sake of the indexes of the database.
func labelRows(r *row, added map[string]string) (rows [][]any) {
	for _, key := range slices.Sorted(maps.Keys(added)) {
		rows = append(rows, append(r.key(), key, added[key]))
	}
	return rows
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
