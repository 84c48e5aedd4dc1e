package store

import (
	"context"
	"fmt"
	"strings"
)

// ifNew leaves rows out whose key is there already.
const ifNew = " ON CONFLICT DO NOTHING"

// An insertion is a statement that inserts rows.
type insertion struct {
	table   string
	columns []string
	ending  string
}

// insertionSizes are the numbers of rows that one statement inserts. They are few, so that statements are prepared once and
// used again.
var insertionSizes = [...]int{256, 64, 32, 16, 8, 4, 3, 2, 1}

func (i *insertion) text(rows int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "INSERT INTO %s (%s) VALUES ", i.table, strings.Join(i.columns, ", "))
	for n := range rows {
		if n > 0 {
			text.WriteString(", ")
		}
		text.WriteString("(" + placeholdersFrom(n*len(i.columns), len(i.columns)) + ")")
	}
	return text.String() + i.ending
}

// insert inserts rows in their order, in few statements, and tells how many were inserted.
func (w *writer) insert(ctx context.Context, into *insertion, rows [][]any) (inserted int64, err error) {
	for _, size := range insertionSizes {
		for len(rows) >= size {
			parameters := make([]any, 0, size*len(into.columns))
			for _, row := range rows[:size] {
				parameters = append(parameters, row...)
			}
			n, err := w.execute(ctx, into.text(size), parameters...)
			if err != nil {
				return inserted, err
			}
			inserted += n
			rows = rows[size:]
		}
	}
	return inserted, nil
}
