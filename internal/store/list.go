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
	b.filter("n.application = %s", application)
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

// A listing builds the statement for a list. The inner part finds the names of the page, which indexes alone answer; only
// the documents of those are read. A requirement that needs a label is a row of the index of labels; several are a join,
// which has at most one row for each document: the database begins where it expects the fewest, and, if it can take them
// in the order of the names, stops at the limit.
type listing struct {
	c          *collection
	query      Query
	from       []string // tables that are joined; the first one is called n
	filters    []string
	parameters []any
}

func newListing(c *collection, q Query) *listing {
	b := &listing{c: c, query: q}
	for _, r := range q.Selector {
		b.require(r)
	}
	if len(b.from) == 0 {
		b.from = []string{c.table + " n"}
	}
	if q.After != "" {
		b.filter("n.name > %s", q.After)
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
	switch {
	case r.Operator == registry.NotExists:
		b.filter("NOT EXISTS (SELECT 1 FROM "+b.c.labels+" o WHERE "+sameKey("o", "n", b.c.key)+" AND o.key = %s)", r.Key)
	case r.Operator == registry.Exists, len(values) == 0 && r.Operator == registry.NotIn:
		b.label(r.Key, "", nil)
	case r.Operator == registry.NotEquals, r.Operator == registry.NotIn:
		b.label(r.Key, "NOT IN", values)
	case len(values) == 0:
		b.filter("1 = 0")
	default:
		b.label(r.Key, "IN", values)
	}
}

// label asks for a label, and, if there is an operator, for its value.
func (b *listing) label(key, operator string, values []string) {
	name := "n"
	if len(b.from) > 0 {
		name = fmt.Sprintf("l%d", len(b.from))
		b.from = append(b.from, b.c.labels+" "+name+" ON "+sameKey(name, "n", b.c.key))
	} else {
		b.from = []string{b.c.labels + " n"}
	}
	b.filter(name+".key = %s", key)
	if operator != "" {
		b.filters = append(b.filters, name+".value "+operator+" ("+b.list(values)+")")
	}
}

// sameKey compares the key columns of two tables.
func sameKey(one, other string, key []string) string {
	parts := make([]string, len(key))
	for i, column := range key {
		parts[i] = fmt.Sprintf("%s.%s = %s.%s", one, column, other, column)
	}
	return strings.Join(parts, " AND ")
}

// readable leaves out applications that a reader may not see. It agrees with user.Decide for user.Read.
func (b *listing) readable(r Reader) {
	if len(r.Only) > 0 {
		b.filters = append(b.filters, "n.name IN ("+b.list(r.Only)+")")
	}
	switch {
	case r.All:
	case r.User == "":
		b.filter("n.name IN (SELECT application FROM application_members WHERE member = '')")
	default:
		b.filter("n.name IN (SELECT name FROM applications WHERE owner IN (%s, '') "+
			"UNION ALL SELECT application FROM application_members WHERE member IN (%s, ''))", r.User, r.User)
	}
}

func (b *listing) statement() string {
	limit := b.query.Limit
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	columns := "n." + strings.Join(b.c.key, ", n.")
	page := "SELECT " + columns + " FROM " + strings.Join(b.from, " JOIN ")
	if len(b.filters) > 0 {
		page += " WHERE " + strings.Join(b.filters, " AND ")
	}
	page += " ORDER BY n.name LIMIT " + b.parameter(limit) + " OFFSET " + b.parameter(max(b.query.Offset, 0))
	return "SELECT " + b.c.read + " FROM (" + page + ") p JOIN " + b.c.table + " d ON " + sameKey("d", "p", b.c.key) + " ORDER BY d.name"
}

func (b *listing) read(ctx context.Context, s *Store, each func(*row) error) error {
	statement, parameters := b.statement(), b.parameters
	// Which way is short depends on how frequent the labels are.
	if s.dialect.Unprepared != nil {
		parameters = append([]any{s.dialect.Unprepared}, parameters...)
	}
	rows, err := s.read.QueryContext(ctx, statement, parameters...)
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
