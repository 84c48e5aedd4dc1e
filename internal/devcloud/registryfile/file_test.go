package registryfile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A desk is a registry file and the store that follows it.
type desk struct {
	file   string
	store  *fakeStore
	syncer *Syncer
}

func newDesk(t *testing.T) *desk {
	dir := t.TempDir()
	s := &fakeStore{}
	return &desk{filepath.Join(dir, "registry.yaml"), s, &Syncer{Store: s, Memory: filepath.Join(dir, "memory.json")}}
}

// save writes the file and has it obeyed; it tells what was removed.
func (d *desk) save(t *testing.T, text string) (done Done, removed []string, err error) {
	t.Helper()
	if err := os.WriteFile(d.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.store.calls = nil
	contents, err := Load(d.file)
	if err != nil {
		return Done{}, nil, err
	}
	done, err = d.syncer.Sync(t.Context(), contents)
	for _, call := range d.store.calls {
		if name, ok := strings.CutPrefix(call, "delete "); ok {
			removed = append(removed, name)
		}
	}
	return done, removed, err
}

const second = "kind: Application\nmetadata:\n  name: other\n"

// Cut at any byte, a file changes nothing, except where it ends between two of its documents.
func TestAFileThatIsCutShortChangesNothing(t *testing.T) {
	f := func(name, text string, boundaries ...string) {
		t.Helper()
		d := newDesk(t)
		if _, _, err := d.save(t, text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range len(text) {
			part := text[:n]
			_, removed, err := d.save(t, part)
			boundary := slices.Contains(boundaries, strings.TrimRight(part, "-. \r\n"))
			switch {
			case boundary:
			case err == nil && len(removed) > 0:
				t.Errorf("%s: cut after %q, %v were removed", name, part, removed)
			case err == nil && strings.TrimSpace(text[n:]) != "":
				t.Errorf("%s: cut after %q, it was obeyed: %v", name, part, d.store.calls)
			}
			if err != nil {
				continue
			}
			if _, removed, err := d.save(t, text); err != nil || len(removed) > 0 {
				t.Errorf("%s: after it was cut at %d, the whole file gets %v, removes %v", name, n, err, removed)
			}
		}
	}
	const withName = "kind: Device\nmetadata:\n  application: app\n  name: device11\nspec:\n  core: {disabled: true}\n"
	const inJSON, more = `{"kind":"Application","metadata":{"name":"app"}}`, `{"kind":"Device","metadata":{"application":"app","name":"d"}}`
	f("one document", second)
	f("several", application+"---\n"+withName+"---\n"+second,
		strings.TrimSpace(application), application+"---\n"+strings.TrimSpace(withName))
	f("without the last line's end", application+"---\n"+strings.TrimSpace(withName), strings.TrimSpace(application))
	f("JSON", inJSON+"\n"+more+"\n", inJSON)
	f("JSON and YAML", inJSON+"\n---\n"+withName, inJSON)
	f("CRLF", strings.ReplaceAll(application+"---\n"+withName, "\n", "\r\n"), strings.TrimSpace(strings.ReplaceAll(application, "\n", "\r\n")))
}

func TestWhatIsSavedOnPurposeIsObeyed(t *testing.T) {
	both := application + "---\n" + second
	f := func(name, before, after string, want ...string) {
		t.Helper()
		d := newDesk(t)
		if _, _, err := d.save(t, before); err != nil {
			t.Fatal(err)
		}
		_, removed, err := d.save(t, after)
		if err != nil || !slices.Equal(removed, want) {
			t.Errorf("%s: removed %v, %v, want %v", name, removed, err, want)
		}
	}
	f("the last document is removed", both, application, "other")
	f("with its marker left", both, application+"---\n", "other")
	f("the first one is removed", both, second, "app")
	f("nothing is left", both, "[]\n", "app", "other")
	f("nothing is left, with a comment", both, "# none\n[] # at all", "app", "other")
	f("the end of the last document is removed, and said to be meant", both+"spec: {mine: 1}\n", both+"...\n")
	f("a value becomes shorter", "kind: Application\nmetadata: {name: long}\n", "kind: Application\nmetadata: {name: lo}\n", "long")

	d := newDesk(t)
	for _, text := range []string{both, both + "spec:\n  mine: 1\n", both} { // what was a whole file is one again
		if _, _, err := d.save(t, text); err != nil {
			t.Error(err)
		}
	}
}

func TestCutErrorSaysWhatToDo(t *testing.T) {
	d := newDesk(t)
	if _, _, err := d.save(t, application+"---\n"+second); err != nil {
		t.Fatal(err)
	}
	_, _, err := d.save(t, application+"---\nkind: Application\nmetadata:\n  name: oth")
	var cut *CutError
	if !errors.As(err, &cut) || !strings.Contains(err.Error(), "three dots") || !strings.Contains(err.Error(), d.file) {
		t.Errorf("%v", err)
	}
}

func TestApplicationWithOtherDevicesStays(t *testing.T) {
	d := newDesk(t)
	if _, _, err := d.save(t, application+"---\n"+device+"---\n"+second); err != nil {
		t.Fatal(err)
	}
	d.store.inhabited = map[string]bool{"app": true}
	done, removed, err := d.save(t, "[]")
	if err != nil || !slices.Equal(removed, []string{"app/d", "other"}) || !slices.Equal(done.Kept, []string{"app"}) {
		t.Errorf("removed %v, kept %v, %v", removed, done.Kept, err)
	}
	d.store.inhabited = nil
	if _, removed, err := d.save(t, "[]\n"); err != nil || len(removed) > 0 {
		t.Errorf("what was left to the API is removed later: %v, %v", removed, err)
	}
}

func TestLoadTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fifo, socket, empty := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket"), filepath.Join(dir, "empty")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.WriteFile(empty, []byte("# nothing\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		fifo: "a FIFO", link: "a FIFO", socket: "a socket", dir: "a folder", "/dev/null": "a device",
		empty: "holds no document", filepath.Join(dir, "missing"): "no such file",
	} {
		if _, err := Load(name); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte(application+"---\n"+device), 20)
	f.Add([]byte("{}\n{}"), 3)
	f.Add([]byte(" {}\n"), 0)
	f.Add([]byte(" {}\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 0 || n > len(text) {
			return
		}
		if cut(text, text) || cut(text[:n], text) {
			t.Error("a file that has not become shorter is taken for one that was cut")
		}
		cut(text, text[:n])
	})
}
