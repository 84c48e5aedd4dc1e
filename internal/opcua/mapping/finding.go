package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Severity says whether a finding keeps something from working.
type Severity string

// Severities.
const (
	Error   Severity = "error"   // it will not do what it says
	Warning Severity = "warning" // it may not do what its author thinks
)

// A Finding is something wrong or doubtful in a mapping file.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`           // from 1; 0: the file as a whole
	Path     string   `json:"path,omitempty"` // of the member, e.g. servers[0].devices[1].path
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
}

// String is one line: file:line: severity: path: message.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	fmt.Fprintf(&b, ": %s: ", f.Severity)
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Findings are in the order of the file.
type Findings []Finding

// Err is an error with every finding of severity Error, a line each, or nil if there is none.
func (f Findings) Err() error {
	var lines []string
	for _, finding := range f {
		if finding.Severity == Error {
			lines = append(lines, finding.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}

// maxFindings bounds what is told of one file.
const maxFindings = 1000

// A place is where something stands in the file.
type place struct {
	line int
	path string
}

func (p place) member(name string) place {
	if p.path == "" {
		return place{p.line, name}
	}
	return place{p.line, p.path + "." + name}
}

func (p place) item(i int) place { return place{p.line, fmt.Sprintf("%s[%d]", p.path, i)} }

// A report gathers findings.
type report struct {
	file     string
	findings Findings
	meant    map[string]bool // paths of members whose names are written wrongly
}

func (r *report) add(s Severity, at place, format string, arguments ...any) {
	if len(r.findings) >= maxFindings {
		return
	}
	r.findings = append(r.findings, Finding{r.file, at.line, at.path, s, fmt.Sprintf(format, arguments...)})
}

func (r *report) err(at place, format string, arguments ...any) {
	r.add(Error, at, format, arguments...)
}

// absent reports that something is not there, unless it is there and was found wrong.
func (r *report) absent(at place, format string, arguments ...any) {
	if !r.wrong(at) {
		r.err(at, format, arguments...)
	}
}

// wrong tells whether a member was found wrong. What follows from that is not reported.
func (r *report) wrong(at place) bool {
	return r.meant[at.path] || slices.ContainsFunc(r.findings, func(f Finding) bool { return f.Severity == Error && within(f.Path, at.path) })
}

// within tells whether a path is that of a member, or of something in it.
func within(path, member string) bool {
	rest, ok := strings.CutPrefix(path, member)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (r *report) warn(at place, format string, arguments ...any) {
	r.add(Warning, at, format, arguments...)
}

// sorted are the findings in the order of the file.
func (r *report) sorted() Findings {
	slices.SortStableFunc(r.findings, func(a, b Finding) int { return a.Line - b.Line })
	return r.findings
}

// nearest is the name that was probably meant: one that differs by little, or the only one that begins with the name.
func nearest(name string, known []string) string {
	if near := registry.Nearest(name, known); near != "" {
		return near
	}
	const least = 3
	var begin []string
	for _, k := range known {
		if len(name) >= least && strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) {
			begin = append(begin, k)
		}
	}
	if len(begin) == 1 {
		return begin[0]
	}
	return ""
}

// shownNames is how many names are listed where none is near.
const shownNames = 5

// hintNear says which name was probably meant; "" if none is near.
func hintNear(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// hint says which of the names that there are was probably meant, or which there are.
func hint(name string, known []string) string {
	if near := hintNear(name, known); near != "" {
		return near
	}
	switch n := len(known); {
	case n == 0:
		return ""
	case n == 1:
		return "; there is " + known[0]
	case n > shownNames:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(known[:shownNames], ", "), n-shownNames)
	default:
		return "; there are " + strings.Join(known, ", ")
	}
}
