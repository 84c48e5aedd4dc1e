package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// columns are those that applications and devices share and that a write sets, in the order of row.values. The key
// columns (name, and for devices application) follow them as the last parameters of every statement.
const columns = "uid, created, generation, resource_version, revision, deleted, finalizers, labels, annotations, spec, status"

// A collection is the statements for the documents of one kind.
type collection struct {
	kind     registry.ChangeKind
	notFound error

	table, labels string   // names of tables
	key           []string // the key columns of both

	lookup string // by alias

	read                 string // what row.scan reads, of a table called d
	lock, update, remove string
	aliases, releaseAll  string

	insert, claim, label insertion
}

func newApplications(d Dialect) *collection {
	return newCollection(d, registry.ApplicationChanged, errNoApplication, "application", "name")
}

func newDevices(d Dialect) *collection {
	return newCollection(d, registry.DeviceChanged, errNoDevice, "device", "name", "application")
}

func newCollection(d Dialect, kind registry.ChangeKind, notFound error, noun string, key ...string) *collection {
	table, aliases := noun+"s", noun+"_aliases"
	read := "d.name, '', d." + strings.ReplaceAll(columns, ", ", ", d.")
	// The aliases of applications are their names and the subjects of their trust anchors; those may be several applications'.
	join, aliasKey := "d.name = a.name", "a.alias = $1 AND a.name = $1"
	if len(key) == 2 {
		read = strings.Replace(read, "''", "d.application", 1)
		join, aliasKey = join+" AND d.application = a.application", "a.alias = $1 AND a.application = $2"
	}
	written := strings.Split(columns, ", ")
	owner := where(0, key)
	return &collection{
		kind:       kind,
		notFound:   notFound,
		table:      table,
		labels:     noun + "_labels",
		key:        key,
		read:       read,
		lookup:     fmt.Sprintf("SELECT %s FROM %s a JOIN %s d ON %s WHERE %s", read, aliases, table, join, aliasKey),
		lock:       fmt.Sprintf("SELECT %s FROM %s d WHERE %s%s", read, table, owner, d.ForUpdate),
		update:     fmt.Sprintf("UPDATE %s SET %s WHERE %s", table, assignments(written), where(len(written), key)),
		remove:     fmt.Sprintf("DELETE FROM %s WHERE %s", table, owner),
		aliases:    fmt.Sprintf("SELECT alias FROM %s WHERE %s ORDER BY alias", aliases, owner),
		releaseAll: fmt.Sprintf("DELETE FROM %s WHERE %s", aliases, owner),
		insert:     insertion{table, slices.Concat(written, key), ifNew},
		claim:      insertion{aliases, slices.Concat([]string{"alias"}, key), ifNew},
		label:      insertion{noun + "_labels", slices.Concat(key, []string{"key", "value"}), ""},
	}
}

// where compares the key columns with the parameters after the first n.
func where(n int, key []string) string {
	return strings.ReplaceAll(assignmentsFrom(n, key), ",", " AND")
}

func assignments(names []string) string { return assignmentsFrom(0, names) }

func assignmentsFrom(n int, names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s = $%d", name, n+i+1)
	}
	return strings.Join(parts, ", ")
}

func placeholders(n int) string { return placeholdersFrom(0, n) }

// placeholdersFrom are the n parameters after the first few.
func placeholdersFrom(first, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("$%d", first+i+1)
	}
	return strings.Join(parts, ", ")
}

func (c *collection) noun() string {
	if c.kind == registry.ApplicationChanged {
		return "an application"
	}
	return "a device"
}
