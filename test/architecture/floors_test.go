package architecture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	page   = "../../docs/architecture.md"
	module = "github.com/fairlead/fairlead"
)

// A floor is a row of the table: the packages that patterns match lie on a level.
type floor struct {
	level    int
	patterns []string
}

// row is a line such as "| 2 | `internal/auth`, `internal/user` | what they hold |".
var (
	row  = regexp.MustCompile("^\\| (\\d+) \\| (`[^|]+) \\|")
	name = regexp.MustCompile("`([^`]+)`")
)

// readFloors reads the table of floors from a page in Markdown.
func readFloors(text io.Reader) (floors []floor, err error) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		cells := row.FindStringSubmatch(lines.Text())
		if cells == nil {
			continue
		}
		level, err := strconv.Atoi(cells[1])
		if err != nil {
			return nil, err
		}
		f := floor{level: level}
		for _, quoted := range name.FindAllStringSubmatch(cells[2], -1) {
			f.patterns = append(f.patterns, quoted[1])
		}
		floors = append(floors, f)
	}
	return floors, lines.Err()
}

// A rule says where packages lie.
type rule struct{ floors []floor }

// levelOf is the level of the longest pattern that matches a folder or one above it; ok is false if none does. A folder
// below a named one lies where that lies.
func (r *rule) levelOf(folder string) (level int, ok bool) {
	longest := -1
	for _, f := range r.floors {
		for _, pattern := range f.patterns {
			for at := folder; at != "."; at = path.Dir(at) {
				if match, _ := path.Match(pattern, at); match && len(at) > longest {
					longest, level, ok = len(at), f.level, true
				}
			}
		}
	}
	return level, ok
}

// check tells what is wrong with one import.
func (r *rule) check(importer, imported string) string {
	from, ok := r.levelOf(importer)
	if !ok {
		return importer + " is on no floor"
	}
	to, ok := r.levelOf(imported)
	switch {
	case !ok:
		return imported + " is on no floor"
	case to < from, house(importer) == house(imported):
		return ""
	}
	return fmt.Sprintf("%s (floor %d) imports %s (floor %d)", importer, from, imported, to)
}

// house is the folder that a package shares with its parts, which may import each other: internal/store and its schemas.
func house(folder string) string {
	parts := strings.Split(folder, "/")
	return path.Join(parts[:min(2, len(parts))]...)
}

// A listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) (packages []listed) {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	command.Dir = "../.."
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading the list of packages: %v", err)
		}
		packages = append(packages, p)
	}
}

// folderOf is the folder of a package of the product; "" for the root, for tests' helpers and for other modules.
func folderOf(importPath string) string {
	folder, ours := strings.CutPrefix(importPath, module+"/")
	if !ours || strings.HasPrefix(folder, "test/") {
		return ""
	}
	return folder
}

func TestImportsGoDown(t *testing.T) {
	file, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	floors, err := readFloors(file)
	if err != nil || len(floors) == 0 {
		t.Fatalf("%s has no table of floors: %v", page, err)
	}
	r := &rule{floors: floors}
	for _, p := range listPackages(t) {
		importer := folderOf(p.ImportPath)
		if importer == "" {
			continue
		}
		if _, ok := r.levelOf(importer); !ok {
			t.Errorf("%s is on no floor of %s", importer, page)
			continue
		}
		for _, i := range p.Imports {
			if imported := folderOf(i); imported != "" {
				if problem := r.check(importer, imported); problem != "" {
					t.Error(problem)
				}
			}
		}
	}
}

func TestRule(t *testing.T) {
	floors, err := readFloors(strings.NewReader("| floor | package |\n|---|---|\n| 0 | `internal/a` | text |\n| 2 | `internal/b`, `internal/b2` | `x` |\n| 3 | `functions/*` | text |\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rule{floors: floors}
	f := func(importer, imported string, right bool) {
		t.Helper()
		if problem := r.check(importer, imported); (problem == "") != right {
			t.Errorf("check(%s, %s) = %q", importer, imported, problem)
		}
	}
	f("internal/b", "internal/a", true)
	f("internal/a", "internal/b", false)
	f("internal/b", "internal/b2", false)
	f("internal/b2", "internal/b", false)
	f("internal/b/part", "internal/b", true)
	f("functions/x", "internal/b/part", true)
	f("functions/x", "functions/y", false)
	f("internal/b", "functions/x", false)
	f("internal/c", "internal/a", false)
	f("internal/b", "internal/c", false)
}
