package registryfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

const (
	application = "kind: Application\nmetadata: {name: app}\n"
	device      = "kind: Device\nmetadata: {application: app, name: d}\n"
)

func TestDecode(t *testing.T) {
	f := func(name, text string, want ...string) {
		t.Helper()
		contents, err := Decode("f.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, a := range contents.Applications {
			got = append(got, a.Metadata.Name)
		}
		for _, d := range contents.Devices {
			got = append(got, d.Metadata.Application+"/"+d.Metadata.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("nothing", "")
	f("YAML", "# comment\n---\n"+application+"---\n"+device, "app", "app/d")
	f("marker with content", "--- {kind: Application, metadata: {name: app}}\n...\n", "app")
	f("apiVersion", "apiVersion: fairlead.io/v1\n"+application, "app")
	f("JSON", `{"kind":"Application","metadata":{"name":"app"}} {"kind":"Device","metadata":{"application":"app","name":"d"}}`, "app", "app/d")
	f("unknown sections stay", application+"spec: {mine: {a: 1}}\n", "app")
	const inJSON, deviceInJSON = `{"kind":"Application","metadata":{"name":"app"}}`, `{"kind":"Device","metadata":{"application":"app","name":"d"}}`
	f("JSON, then YAML", inJSON+"\n---\n"+device, "app", "app/d")
	f("YAML, then JSON", application+"---\n"+deviceInJSON, "app", "app/d")
	f("JSON, marker, JSON", inJSON+"\n---\n"+deviceInJSON+"\n---\n", "app", "app/d")
	f("two of JSON, then YAML", inJSON+deviceInJSON+"\n---\nkind: Application\nmetadata: {name: b}\n", "app", "b", "app/d")
	f("JSON over several lines with tabs", "{\n\t\"kind\": \"Application\",\n\t\"metadata\": {\"name\": \"app\"}\n}\n---\n"+device, "app", "app/d")
	f("comments around JSON", "# one\n"+inJSON+"\n# two\n--- # three\n# four\n"+deviceInJSON+" # five\n", "app", "app/d")
	f("Windows line ends", inJSON+"\r\n---\r\n"+strings.ReplaceAll(device, "\n", "\r\n"), "app", "app/d")
	f("flow style", "{kind: Application, metadata: {name: app}}\n---\n{kind: Device, metadata: {application: app, name: d}}\n", "app", "app/d")
	f("directive", "%YAML 1.2\n---\n"+application, "app")
	f("byte order mark", "\ufeff"+inJSON, "app")
	f("nothing, explicitly", "[]\n")
	f("hyphens in a text", application+"spec:\n  mine: |\n    ---\n    text\n  other: '----'\n", "app")
}

func TestDocument(t *testing.T) {
	if a, d, err := Document([]byte("metadata: {name: app}\n")); err != nil || a == nil || d != nil {
		t.Errorf("an application: %v, %v, %v", a, d, err)
	}
	for _, text := range []string{"metadata: {application: other, name: d}\n", device} {
		if a, d, err := Document([]byte(text)); err != nil || a != nil || d == nil {
			t.Errorf("a device: %v, %v, %v", a, d, err)
		}
	}
	for _, bad := range []string{"kind: Pod\nmetadata: {name: app}\n", "kind: ''\nmetadata: {name: app}\n", "metadata: 7\n"} {
		if _, _, err := Document([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		_, err := Decode("f.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
			return
		}
		if strings.Contains(err.Error(), "rodney") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	f("no kind", "metadata: {name: app}\n", "kind")
	f("other kind", "kind: Pod\nmetadata: {name: app}\n", "kind")
	f("other version", "apiVersion: v1\n"+application, "apiVersion")
	f("unknown member", application+"more: 1\n", "more")
	f("bad name", "kind: Application\nmetadata: {name: No!}\n", "metadata.name")
	f("second document is named", application+"---\n"+"kind: Device\nmetadata: {application: app}\n", "document 2")
	f("member twice", application+"kind: Device\n", "kind")
	f("twice", application+"---\n"+application, "twice")
	f("device twice", application+"---\n"+device+"---\n"+device, "twice")
	f("device of nobody", device, "no file")
	f("a list", "- a\n", "not an object")
	f("broken YAML", "kind: [rodney\n", "document 1")
	f("JSON, then YAML without a marker", `{"kind":"Application","metadata":{"name":"app"}}`+"\n"+device, "document 1")
	f("member twice in JSON", `{"kind":"Application","kind":"Application","metadata":{"name":"app"}}`, "document 1")
	f("a Trigger", "kind: Trigger\nmetadata: {name: t}\n", "Triggers")
	f("a list with more", "[a]\n", "not an object")
	f("broken JSON", `{"kind": "rodney`, "document 1")
	f("password of the wrong type", application+"---\n"+device+"spec: {authentication: {credentials: [{pass: {rodney: hey-rodney}}]}}\n", "authentication")
	f("too large", application+"spec: {x: "+strings.Repeat("x", registry.MaxDocument)+"}\n", "larger")
}

// A fakeStore notes what is asked of it.
type fakeStore struct {
	calls   []string
	fail    string // the call that fails
	missing bool   // what is deleted is not there

	inhabited map[string]bool // applications with devices
}

func (s *fakeStore) note(format string, arguments ...any) ([]registry.Change, error) {
	call := fmt.Sprintf(format, arguments...)
	s.calls = append(s.calls, call)
	if call == s.fail {
		return nil, fmt.Errorf("no")
	}
	if s.missing && strings.HasPrefix(call, "delete") {
		return nil, registry.ErrNotFound
	}
	return []registry.Change{{Application: call}}, nil
}

func (s *fakeStore) ApplyApplication(_ context.Context, a *registry.Application) ([]registry.Change, error) {
	return s.note("apply %s", a.Metadata.Name)
}

func (s *fakeStore) ApplyDevice(_ context.Context, d *registry.Device) ([]registry.Change, error) {
	return s.note("apply %s/%s", d.Metadata.Application, d.Metadata.Name)
}

func (s *fakeStore) DeleteApplication(_ context.Context, name string) ([]registry.Change, error) {
	return s.note("delete %s", name)
}

func (s *fakeStore) DeleteDevice(_ context.Context, application, name string) ([]registry.Change, error) {
	return s.note("delete %s/%s", application, name)
}

func (s *fakeStore) Application(_ context.Context, name string) (*registry.Application, error) {
	a := &registry.Application{}
	a.Metadata.Name = name
	return a, nil
}

func (s *fakeStore) Devices(_ context.Context, application, _ string, _ store.Query) ([]*registry.Device, error) {
	if s.inhabited[application] {
		return []*registry.Device{{}}, nil
	}
	return nil, nil
}

func TestSyncRemovesWhatNoFileHasAnyLonger(t *testing.T) {
	memory := filepath.Join(t.TempDir(), "files.json")
	var told []string
	sync := func(s *fakeStore, text string) error {
		t.Helper()
		contents, err := Decode("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		told = nil
		y := Syncer{Store: s, Memory: memory, Invalidate: func(_ context.Context, changes ...registry.Change) error {
			for _, c := range changes {
				told = append(told, c.Application)
			}
			return nil
		}}
		_, err = y.Sync(t.Context(), contents)
		return err
	}
	expect := func(s *fakeStore, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, s.calls); diff != "" {
			t.Error(diff)
		}
	}
	first := &fakeStore{}
	if err := sync(first, application+"---\n"+device+"---\nkind: Application\nmetadata: {name: b}\n"); err != nil {
		t.Fatal(err)
	}
	expect(first, "apply app", "apply b", "apply app/d")

	failing := &fakeStore{fail: "apply app"}
	if err := sync(failing, application); err == nil {
		t.Error("the failure went unnoticed")
	}
	if want := []string{"delete app/d", "delete b"}; !slices.Equal(told, want) {
		t.Errorf("caches were told of %v, want %v", told, want)
	}

	again := &fakeStore{missing: true} // the failed attempt is made up for
	if err := sync(again, application); err != nil {
		t.Fatal(err)
	}
	expect(again, "delete app/d", "delete b", "apply app")

	settled := &fakeStore{}
	if err := sync(settled, application); err != nil {
		t.Fatal(err)
	}
	expect(settled, "apply app")
	text, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"app"`) || strings.Contains(string(text), `"d"`) {
		t.Errorf("memory %s", text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(application + "---\n" + device))
	f.Add([]byte(`{"kind":"Application","metadata":{"name":"app"}}`))
	f.Add([]byte("--- &a [*a]\n...\n---"))
	f.Fuzz(func(t *testing.T, text []byte) {
		contents, err := Decode("f", text)
		if err != nil {
			return
		}
		for _, d := range contents.Devices {
			if err := d.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
