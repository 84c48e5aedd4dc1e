// Package assemblytest holds the configuration of a program to what is said of it: its page of documentation is generated from the
// code, and every setting has a meaning.
package assemblytest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/config"
)

var update = flag.Bool("update", false, "write the page of documentation anew")

// groupsMark stands in the introduction of a page for the table of the processes and their groups.
const groupsMark = "GROUPS\n"

// Documented fails the test unless the file is the page of a program: an introduction, with the table of the program's
// processes at the word GROUPS, and its settings, whose defaults are those of a configuration.
func Documented(t *testing.T, file, introduction string, kind assembly.Kind, configuration any) {
	t.Helper()
	page := []byte(strings.Replace(introduction, groupsMark, groups(kind), 1) + config.Markdown(config.Settings(assembly.Prefix, configuration)))
	if *update {
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, page) {
		t.Errorf("%s is not what the code says; run this test with -update", file)
	}
}

// groups is a table of the processes of a kind, with the groups of settings that each needs.
func groups(kind assembly.Kind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | what for | groups |\n|---|---|---|\n", kind)
	for _, p := range assembly.Of(kind) {
		var names []string
		for _, name := range p.Groups {
			names = append(names, code(name))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", p.Name, p.Summary, strings.Join(names, ", "), access(p.Access))
	}
	return b.String()
}

func code(group string) string { return "`" + strings.ToUpper(group) + "`" }

// access says which groups an access needs.
func access(a assembly.Access) string {
	switch a {
	case assembly.Asks:
		return ", `AUTH`, `SELF`"
	case assembly.Judges:
		return ", `AUTH`, `SELF`, `DATABASE`, `CACHE`"
	case assembly.Either:
		return ", `AUTH`, `SELF`; without `AUTH_CLIENT_URL` also `DATABASE`, `CACHE`"
	case assembly.Documents:
		return ", `DATABASE`, `CACHE`"
	default:
		return ""
	}
}

// Meaningful fails the test for settings without documentation, and for secrets that are not marked.
func Meaningful(t *testing.T, configuration any) {
	t.Helper()
	for _, s := range config.Settings(assembly.Prefix, configuration) {
		if s.Doc == "" {
			t.Errorf("%s has no doc tag", s.Name)
		}
		if !s.Secret && (strings.HasSuffix(s.Name, "_TOKEN") || strings.HasSuffix(s.Name, "_PASSWORD")) {
			t.Errorf("%s is not marked as secret", s.Name)
		}
	}
}

// Complete fails the test unless the constructors of a program are those of the processes of a kind, by name.
func Complete[C any](t *testing.T, kind assembly.Kind, constructors map[string]C) {
	t.Helper()
	for _, p := range assembly.Of(kind) {
		if _, ok := constructors[p.Name]; !ok {
			t.Errorf("the %s %s of the table has no constructor", kind, p.Name)
		}
	}
	for name := range constructors {
		if _, ok := assembly.Find(kind, name); !ok {
			t.Errorf("the constructor of %s belongs to no %s of the table", name, kind)
		}
	}
}

// Known fails the test unless every group and every field that the table names for a kind is in a configuration.
func Known(t *testing.T, kind assembly.Kind, configuration any) {
	t.Helper()
	for _, p := range assembly.Of(kind) {
		for _, group := range p.Needed() {
			if _, err := config.Group(configuration, group); err != nil {
				t.Errorf("%s %s: %v", kind, p.Name, err)
			}
		}
		for _, r := range p.Rules {
			for _, field := range []string{r.Field, r.Other} {
				if _, err := config.Number(configuration, field); err != nil {
					t.Errorf("%s %s: %v", kind, p.Name, err)
				}
			}
		}
	}
}
