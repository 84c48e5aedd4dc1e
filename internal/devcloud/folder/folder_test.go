package folder

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFolderHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another fairlead dev") {
		t.Errorf("the second owner got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("a folder that the user named is gone")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFolderKeepsOthersOut(t *testing.T) {
	path := t.TempDir()
	check := func(want string) {
		t.Helper()
		_ = filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
			info, statErr := os.Stat(name)
			if err != nil || statErr != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s is %v, %v", want, name, info.Mode(), err)
			}
			return nil
		})
	}
	open := func() {
		t.Helper()
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		// As a library does.
		if err := os.MkdirAll(f.File("kafka"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.File("kafka/topics.json"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open()
	check("a new one")
	if err := os.Chmod(filepath.Join(path, "kafka"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(path, "kafka", "topics.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	open()
	check("one of an older version")

	path = t.TempDir()
	foreign := filepath.Join(path, "foreign")
	if err := os.Mkdir(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	open()
	open()
	if info, err := os.Stat(foreign); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a folder that was there before is %v, %v", info.Mode(), err)
	}
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	f, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Path()); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestWriteReplacesAndKeepsOthersOut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f.json")
	for _, content := range []string{"one", "two"} {
		if err := WriteJSON(name, content); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || string(text) != "\"two\"\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, _ := os.Stat(name); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	entries, _ := os.ReadDir(filepath.Dir(name))
	if len(entries) != 1 {
		t.Errorf("files are left over: %v", entries)
	}
}

func TestWatchSeesNewChangedAndGone(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	list := func() []string {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		return names
	}
	changed := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	seen := Stamps(list())
	go func() {
		defer close(ended)
		Watch(ctx, seen, list, func(time.Duration) bool { changed <- struct{}{}; return true })
	}()
	steps := []func() error{
		func() error { return os.WriteFile(name, []byte("1"), 0o600) },
		func() error { return os.WriteFile(name, []byte("22"), 0o600) },
		func() error { return os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)) },
		func() error { return os.Remove(name) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatalf("step %d was not seen", i)
		}
	}
	cancel()
	<-ended
}
