package migrate

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/sqlite"
)

func TestFillsOnSQLite(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	testFills(t, s)
}

// testFills brings a database from the first version of the schema, with documents, to the present one.
func testFills(t *testing.T, s *store.Store) {
	t.Helper()
	upTo(t, s, 1)
	insert(t, s, "applications", "name", "'app'", `{"k":"v"}`)
	insert(t, s, "applications", "name", "'other'", "")
	var odd, even []string
	for i := range documents + 101 { // more than are read at a time
		name, parity := fmt.Sprintf("d%04d", i), "odd"
		if i%2 == 0 {
			parity = "even"
			even = append(even, name)
		} else {
			odd = append(odd, name)
		}
		insert(t, s, "devices", "application, name", "'app', '"+name+"'", `{"parity":"`+parity+`","ü":"größer","broken":"a\u0000b"}`)
	}
	insert(t, s, "devices", "application, name", "'app', 'plain'", "")
	insert(t, s, "devices", "application, name", "'other', 'd0000'", `{"parity":"odd"}`)

	if err := Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	f := func(text string, want []string) {
		t.Helper()
		selector, err := registry.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for after := ""; ; {
			devices, err := s.Devices(t.Context(), "app", "uid", store.Query{Selector: selector, After: after})
			if err != nil {
				t.Fatal(err)
			}
			if len(devices) == 0 {
				break
			}
			for _, d := range devices {
				got = append(got, d.Metadata.Name)
			}
			after = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %d devices, want %d", text, len(got), len(want))
		}
	}
	f("parity=odd", odd)
	f("parity=even", even)
	f("!parity", []string{"plain"})
	f("broken", nil)
	applications, err := s.Applications(t.Context(), store.Reader{User: "anybody"}, store.Query{Selector: registry.Selector{{Key: "k", Operator: registry.Equals, Values: []string{"v"}}}})
	if err != nil || len(applications) != 1 || applications[0].Metadata.Name != "app" {
		t.Errorf("applications: %v, %v", applications, err)
	}
}

func upTo(t *testing.T, s *store.Store, version int64) {
	t.Helper()
	db, dialect := s.Database()
	migrations, err := load(dialect)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.Dialect(dialect.Name), db, nil, goose.WithTableName(store.VersionTable),
		goose.WithGoMigrations(migrations...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, s *store.Store, table, key, values, labels string) {
	t.Helper()
	db, _ := s.Database()
	_, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" ("+key+", uid, created, generation, resource_version, revision, finalizers, labels, annotations, spec, status) "+
		"VALUES ("+values+", 'uid', 1, 1, 'v', 1, '', $1, '', '', '')", labels)
	if err != nil {
		t.Fatal(err)
	}
}
