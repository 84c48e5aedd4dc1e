package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Store {
		return open(t, filepath.Join(t.TempDir(), "registry %23?#.db"))
	})
}

func TestDocumentsStayAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	first := open(t, path)
	if err := migrate.Up(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := first.ApplyApplication(t.Context(), &registry.Application{Metadata: registry.Metadata{Name: "app"}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
	// A second process sees what the first one wrote, also while that is still there.
	second := open(t, path)
	defer second.Close()
	if _, err := second.Application(t.Context(), "app"); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Application(t.Context(), "app"); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{"", ":memory:", filepath.Join(t.TempDir(), "no", "such", "folder", "x.db"), t.TempDir()} {
		if s, err := sqlite.Open(t.Context(), path); err == nil {
			t.Errorf("opening %q succeeded", path)
			_ = s.Close()
		}
	}
}
