package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/opcua"
)

// Bounds of browse paths.
const (
	maxPath     = 1024 // bytes
	maxSegments = 32
	maxStars    = 16
)

// A Path is a pattern of browse paths. Between slashes are patterns of browse names, in which * stands for any text. A name may
// begin with the short name of a namespace and a colon; without it, the namespace does not matter. After & any character stands
// for itself.
type Path struct {
	text     string
	segments []segment
	absolute bool // begins at the root of the address space, otherwise at a node that is given
	stars    int
}

// A segment is a pattern of one browse name: its parts have a star between them.
type segment struct {
	text       string // as it was written
	namespace  string // URI
	namespaced bool
	parts      []string
}

// wild tells whether the segment may match several names.
func (s *segment) wild() bool { return len(s.parts) > 1 }

// name is what a segment without a star matches.
func (s *segment) name() string { return strings.Join(s.parts, "*") }

// parsePath reads a pattern. Namespaces have URIs by short name. A path "." is the node that it begins at.
func parsePath(text string, namespaces map[string]string) (Path, error) {
	p := Path{text: text}
	if text == "" || len(text) > maxPath || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return p, fmt.Errorf("a browse path is a text of 1 to %d bytes", maxPath)
	}
	if text == "." {
		return p, nil
	}
	rest, absolute := strings.CutPrefix(text, "/")
	p.absolute = absolute
	for more := true; more; {
		var s segment
		var err error
		if s, rest, more, err = parseSegment(rest, namespaces); err != nil {
			return p, err
		}
		p.segments = append(p.segments, s)
		p.stars += len(s.parts) - 1
	}
	switch {
	case len(p.segments) > maxSegments:
		return p, fmt.Errorf("a browse path has at most %d names", maxSegments)
	case p.stars > maxStars:
		return p, fmt.Errorf("a browse path has at most %d stars", maxStars)
	}
	return p, nil
}

// parseSegment reads up to a slash, and tells whether there is one.
func parseSegment(text string, namespaces map[string]string) (s segment, rest string, more bool, err error) {
	var part strings.Builder
	i, plain := 0, true // no & and no star so far
scan:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '/':
			more = true
			break scan
		case c == '*' && len(s.parts) > 0 && part.Len() == 0:
			return s, "", false, errors.New("** does not stand for several levels: write a name for each, or * for any name")
		case c == '*':
			s.parts, plain = append(s.parts, part.String()), false
			part.Reset()
		case c == ':' && plain && !s.namespaced:
			uri, known := namespaces[part.String()]
			if !known {
				return s, "", false, unknownNamespace(part.String(), namespaces)
			}
			s.namespaced, s.namespace = true, uri
			part.Reset()
		case c == '&':
			if i++; i == len(text) {
				return s, "", false, errors.New("nothing follows &")
			}
			plain = false
			fallthrough
		default:
			part.WriteByte(text[i])
		}
	}
	s.parts, s.text = append(s.parts, part.String()), text[:i]
	if len(s.parts) == 1 && s.parts[0] == "" {
		return s, "", false, errors.New("a name is empty")
	}
	if more {
		rest = text[i+1:]
	}
	return s, rest, more, nil
}

func unknownNamespace(name string, namespaces map[string]string) error {
	return fmt.Errorf("%q is no short name of a namespace%s (a colon that belongs to a name is written &:)",
		name, hint(name, slices.Sorted(maps.Keys(namespaces))))
}

// match tells whether a browse name is one of the segment's, and what each star stands for.
func (s *segment) match(n opcua.QualifiedName) (stars []string, ok bool) {
	if s.namespaced && s.namespace != n.Namespace {
		return nil, false
	}
	if !s.wild() {
		return nil, n.Name == s.parts[0]
	}
	rest, ok := strings.CutPrefix(n.Name, s.parts[0])
	if !ok {
		return nil, false
	}
	last := len(s.parts) - 1
	for _, part := range s.parts[1:last] {
		star, after, found := strings.Cut(rest, part)
		if !found {
			return nil, false
		}
		stars, rest = append(stars, star), after
	}
	star, ok := strings.CutSuffix(rest, s.parts[last])
	if !ok {
		return nil, false
	}
	return append(stars, star), true
}

// String is the pattern as it was written.
func (p *Path) String() string { return p.text }

// nearest is the child that was probably meant by a segment, as an ending of a message.
func (s *segment) nearest(children []*opcua.TreeNode) string {
	var names []string
	for _, c := range children {
		names = append(names, c.BrowseName.Name)
		if c.BrowseName.Name == s.name() && s.namespaced {
			return fmt.Sprintf("; there is one in the namespace %s", namespaceURI(c.BrowseName.Namespace))
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); s.wild() || nearest(s.name(), names) == "" {
		return hint("", names)
	}
	return hint(s.name(), names)
}

func namespaceURI(uri string) string {
	if uri == "" {
		return opcua.StandardNamespace
	}
	return uri
}

// Quote writes a browse name as a path has it.
func Quote(name string) string {
	return strings.NewReplacer("&", "&&", "/", "&/", "*", "&*", ":", "&:").Replace(name)
}
