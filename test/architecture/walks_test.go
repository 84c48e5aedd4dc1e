package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// identifier is the name of a function, or of a method with that of its type: "Listen", "Server.Run".
var identifier = regexp.MustCompile(`^[A-Za-z]\w*(\.\w+)?$`)

// A mention is a file that a page names, with the functions that it names in it.
type mention struct {
	file      string
	functions []string
}

// mentions finds the files that a paragraph, a row or an item of the page names between backquotes. A name of a file without
// its folder is one in the folder that was named last. Functions follow a file and a colon, with commas between them.
func mentions(text string, exists func(name string) bool) (list []mention) {
	folder := ""
	for _, at := range name.FindAllStringSubmatchIndex(text, -1) {
		quoted, before := text[at[2]:at[3]], text[:at[0]]
		switch {
		case strings.HasSuffix(quoted, ".go") && !exists(quoted) && exists(path.Join(folder, quoted)):
			list = append(list, mention{file: path.Join(folder, quoted)})
		case strings.HasSuffix(quoted, ".go"):
			folder = path.Dir(quoted)
			list = append(list, mention{file: quoted})
		case exists(quoted):
			folder = quoted
		case len(list) > 0 && identifier.MatchString(quoted) && follows(before, &list[len(list)-1]):
			last := &list[len(list)-1]
			last.functions = append(last.functions, quoted)
		}
	}
	return list
}

// follows tells whether a text goes up to the next name of a function in a mention.
func follows(before string, m *mention) bool {
	if len(m.functions) == 0 {
		base := path.Base(m.file)
		return strings.HasSuffix(strings.Join(strings.Fields(before), " "), base+"`:")
	}
	return strings.HasSuffix(strings.TrimSpace(before), "`"+m.functions[len(m.functions)-1]+"`,")
}

// declared lists the functions of a file, as identifier has them.
func declared(t *testing.T, file string) (list []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), path.Join(repository, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			list = append(list, receiver(f)+f.Name.Name)
		}
	}
	return list
}

// receiver is the type of a method, with a dot; "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	named, _ := kind.(*ast.Ident)
	return named.Name + "."
}

// parts are the paragraphs, rows and items of a page.
var parts = regexp.MustCompile(`\n(?:\n|\||\d+\. |- )`)

func TestPageNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	exists := func(name string) bool { _, err := os.Stat(path.Join(repository, name)); return err == nil }
	files, functions := 0, 0
	for _, part := range parts.Split(string(text), -1) {
		for _, m := range mentions(part, exists) {
			if files++; !exists(m.file) {
				t.Errorf("there is no %s", m.file)
				continue
			}
			known := declared(t, m.file)
			for _, f := range m.functions {
				if functions++; !slices.Contains(known, f) {
					t.Errorf("there is no %s in %s", f, m.file)
				}
			}
		}
	}
	if files < 50 || functions < 50 {
		t.Errorf("only %d files and %d functions were found: is the page read as it is written?", files, functions)
	}
}

func TestMentions(t *testing.T) {
	exists := func(name string) bool { return slices.Contains([]string{"a", "a/b.go", "a/c.go", "a/d/e.go"}, name) }
	f := func(text string, want ...mention) {
		t.Helper()
		got := mentions(text, exists)
		if !slices.EqualFunc(got, want, func(x, y mention) bool { return x.file == y.file && slices.Equal(x.functions, y.functions) }) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	f("`a/b.go`: `F`, `T.M` — text `not`", mention{"a/b.go", []string{"F", "T.M"}})
	f("`a/b.go`:\n   `F`,\n   `G`; then `a/c.go`: `H` does", mention{"a/b.go", []string{"F", "G"}}, mention{"a/c.go", []string{"H"}})
	f("`a/b.go`, then `c.go` and `d/e.go`", mention{file: "a/b.go"}, mention{file: "a/c.go"}, mention{file: "a/d/e.go"})
	f("`a`: `c.go` holds `F`", mention{file: "a/c.go"})
	f("`a/gone.go`: `F`", mention{"a/gone.go", []string{"F"}})
	f("`gone.go` and `T.M`", mention{file: "gone.go"})
}
