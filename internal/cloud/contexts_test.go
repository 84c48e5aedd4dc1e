package cloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestContexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairlead", "contexts.yaml")
	c, err := LoadContexts(path)
	if err != nil || len(c.Names()) != 0 {
		t.Fatalf("%v, %v", c, err)
	}
	if _, _, err := c.Get(""); err == nil || !strings.Contains(err.Error(), "fairlead login") {
		t.Error(err)
	}
	put := func(name string, context Context) {
		t.Helper()
		if err := c.Put(name, &context); err != nil {
			t.Fatal(err)
		}
	}
	put("b", Context{URL: "https://b.example", Application: "app", AccessToken: "x", User: "ada"})
	put("a", Context{URL: "https://a.example", Login: &Login{ClientID: "drogue", TokenURL: "https://i/token", Token: "t", Expires: time.Unix(1e9, 0).UTC(), RefreshToken: "r"}})
	put("b", Context{URL: "https://b.example", AccessToken: "y"}) // the application stays
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := LoadContexts(path)
	if diff := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Contexts{})); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if name, context, err := again.Get(""); err != nil || name != "b" || context.Application != "app" || context.AccessToken != "y" {
		t.Errorf("%s, %+v, %v", name, *context, err)
	}
	put("b", Context{URL: "https://elsewhere.example"})
	if c.All["b"].Application != "" {
		t.Error("the application of another installation stays")
	}
	for path, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := c.Delete("b"); err != nil || c.Current != "" {
		t.Errorf("%v, current %q", err, c.Current)
	}
	if err := c.Delete("b"); err == nil {
		t.Error("what is not there is deleted")
	}
	for _, bad := range []string{"", "-a", "a b", "a/b", "../a", strings.Repeat("a", 65), "ä"} {
		if c.Put(bad, &Context{}) == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
}

func TestBrokenContexts(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "contexts.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadContexts(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	f("contexts: [hunter2]", "does not parse")
	f("contexts: {a: {url: x, secret: hunter2}}", "does not parse")
	f("{", "does not parse")
	f("contexts: {a: }", "a is empty")
	f(strings.Repeat("# hunter2\n", 200_000), "larger")
}

func FuzzContexts(f *testing.F) {
	f.Add("current: a\ncontexts:\n  a: {url: 'https://a'}\n")
	f.Add("contexts: {a: {login: {expires: 2026-01-01T00:00:00Z}}}")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "contexts.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadContexts(path)
		if err != nil {
			return
		}
		if err := c.Save(); err != nil {
			return // a time that JSON cannot write
		}
		again, err := LoadContexts(path)
		if err != nil || len(again.All) != len(c.All) || again.Current != c.Current {
			t.Errorf("%q comes back as %v, %v", text, again, err)
		}
	})
}
