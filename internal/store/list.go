package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// MaxPage bounds the documents of one read.
const MaxPage = 500

// A Query selects the documents of a list, which is ordered by name, bytewise.
type Query struct {
	Selector registry.Selector
	After    string // only names after this one; "" begins at the first
	Offset   int    // number of documents that are skipped
	Limit    int    // at most MaxPage; less than 1 is MaxPage
}

// A Reader is who asks for a list of applications.
type Reader struct {
	// All lets the reader see every application.
	All bool
	// User is the ID of a user, who sees what they own, what they or everybody are a member of, and what belongs to
	// nobody. "" sees only what everybody is a member of.
	User string
	// Only narrows what is seen to these names; empty does not.
	Only []string
}

// Applications lists applications that a reader may see.
func (s *Store) Applications(ctx context.Context, reader Reader, q Query) ([]*registry.Application, error) {
	b := newListing(s.applications, q)
	b.readable(reader)
	var all []*registry.Application
	err := b.read(ctx, s, func(r *row) error {
		var a registry.Application
		all = append(all, &a)
		return r.decode(&a.Metadata, &a.Spec, &a.Status)
	})
	if err != nil {
		return nil, fmt.Errorf("listing applications: %w", err)
	}
	return all, nil
}

// Devices lists the devices of an application, given by name and, so that it is not another one of that name by now, by
// uid. An application that does not exist has none.
func (s *Store) Devices(ctx context.Context, application, uid string, q Query) ([]*registry.Device, error) {
	if registry.ValidateApplicationName(application) != nil {
		return nil, nil
	}
	b := newListing(s.devices, q)
	b.filter("d.application = %s", application)
	b.filter("EXISTS (SELECT 1 FROM applications WHERE name = %s AND uid = %s)", application, uid)
	var all []*registry.Device
	err := b.read(ctx, s, func(r *row) error {
		var d registry.Device
		all = append(all, &d)
		return r.decode(&d.Metadata, &d.Spec, &d.Status)
	})
	if err != nil {
		return nil, fmt.Errorf("listing devices: %w", err)
	}
	return all, nil
}

// A listing builds the statement for a list. A requirement that needs a label is a join with the index of labels, which
// gives at most one row for each document, and gives them in the order of the names: the database may begin with the
// rarest label and still stop at the limit.
type listing struct {
	c          *collection
	query      Query
	joins      []string
	filters    []string
	parameters []any
}

func newListing(c *collection, q Query) *listing {
	b := &listing{c: c, query: q}
	for _, r := range q.Selector {
		b.require(r)
	}
	if q.After != "" {
		b.filter("d.name > %s", q.After)
	}
	return b
}

// parameter adds a value and returns how the statement names it.
func (b *listing) parameter(value any) string {
	b.parameters = append(b.parameters, value)
	return fmt.Sprintf("$%d", len(b.parameters))
}

func (b *listing) list(values []string) string {
	names := make([]string, len(values))
	for i, value := range values {
		names[i] = b.parameter(value)
	}
	return strings.Join(names, ", ")
}

// filter adds a condition with a parameter for each %s.
func (b *listing) filter(condition string, values ...string) {
	names := make([]any, len(values))
	for i, value := range values {
		names[i] = b.parameter(value)
	}
	b.filters = append(b.filters, fmt.Sprintf(condition, names...))
}

func (b *listing) require(r registry.Requirement) {
	values := slices.Compact(slices.Sorted(slices.Values(r.Values)))
	switch r.Operator {
	case registry.NotExists:
		b.filters = append(b.filters, fmt.Sprintf("NOT EXISTS (SELECT 1 FROM %s l WHERE %s AND l.key = %s)", b.c.labels, b.sameDocument("l"), b.parameter(r.Key)))
	case registry.Exists:
		b.join(r.Key, "")
	case registry.NotEquals, registry.NotIn:
		condition := ""
		if len(values) > 0 {
			condition = "NOT IN (" + b.list(values) + ")"
		}
		b.join(r.Key, condition)
	default:
		b.oneOf(r.Key, values)
	}
}

// join asks for a label, and for a condition on its value unless that is "".
func (b *listing) join(key, condition string) {
	label := fmt.Sprintf("l%d", len(b.joins))
	text := fmt.Sprintf("JOIN %s %s ON %s AND %s.key = %s", b.c.labels, label, b.sameDocument(label), label, b.parameter(key))
	if condition != "" {
		text += fmt.Sprintf(" AND %s.value %s", label, condition)
	}
	b.joins = append(b.joins, text)
}

// oneOf asks for a label with one of several values. Each value is a part of its own, so that each comes in the order of
// the names.
func (b *listing) oneOf(key string, values []string) {
	if len(values) == 0 {
		b.filters = append(b.filters, "1 = 0")
		return
	}
	if len(values) == 1 {
		b.join(key, "= "+b.parameter(values[0]))
		return
	}
	name := b.parameter(key)
	columns := strings.Join(b.c.key, ", ")
	parts := make([]string, len(values))
	for i, value := range values {
		parts[i] = fmt.Sprintf("SELECT %s FROM %s WHERE key = %s AND value = %s", columns, b.c.labels, name, b.parameter(value))
	}
	label := fmt.Sprintf("l%d", len(b.joins))
	b.joins = append(b.joins, fmt.Sprintf("JOIN (%s) %s ON %s", strings.Join(parts, " UNION ALL "), label, b.sameDocument(label)))
}

// sameDocument compares the key columns of another table with those of the documents.
func (b *listing) sameDocument(other string) string {
	parts := make([]string, len(b.c.key))
	for i, column := range b.c.key {
		parts[i] = fmt.Sprintf("%s.%s = d.%s", other, column, column)
	}
	return strings.Join(parts, " AND ")
}

// readable leaves out applications that a reader may not see. It agrees with user.Decide for user.Read.
func (b *listing) readable(r Reader) {
	if len(r.Only) > 0 {
		b.filters = append(b.filters, "d.name IN ("+b.list(r.Only)+")")
	}
	switch {
	case r.All:
	case r.User == "":
		b.filter("d.name IN (SELECT application FROM application_members WHERE member = '')")
	default:
		user := b.parameter(r.User)
		b.filters = append(b.filters, fmt.Sprintf("d.name IN (SELECT name FROM applications WHERE owner IN (%s, '') "+
			"UNION ALL SELECT application FROM application_members WHERE member IN (%s, ''))", user, user))
	}
}

func (b *listing) statement() string {
	parts := []string{"SELECT " + b.c.read + " FROM " + b.c.table + " d"}
	parts = append(parts, b.joins...)
	if len(b.filters) > 0 {
		parts = append(parts, "WHERE "+strings.Join(b.filters, " AND "))
	}
	limit := b.query.Limit
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	parts = append(parts, "ORDER BY d.name LIMIT "+b.parameter(limit)+" OFFSET "+b.parameter(max(b.query.Offset, 0)))
	return strings.Join(parts, " ")
}

func (b *listing) read(ctx context.Context, s *Store, each func(*row) error) error {
	statement := b.statement()
	rows, err := s.read.QueryContext(ctx, statement, b.parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return err
		}
		if err := each(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}
