package mapping

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A reader takes a YAML document apart, and reports what it does not know. It goes on after an error, so that all are told at
// once.
type reader struct {
	report
	namespaces map[string]string // URIs by short name
}

// members reads each member of a mapping with the function of its name. Others are reported, and so are those that stand twice.
func (r *reader) members(n *yaml.Node, at place, known map[string]func(*yaml.Node, place)) {
	if n.Kind != yaml.MappingNode {
		r.err(at, "is %s, but must be a mapping with members such as %s", kindOf(n), strings.Join(firstOf(known), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		within := place{key.Line, at.path}.member(key.Value)
		read, ok := known[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.err(place{key.Line, at.path}, "a member's name must be a text")
		case seen[key.Value]:
			r.err(within, "stands twice")
		case key.Tag == "!!merge":
			r.err(place{key.Line, at.path}, "<< is not read: write out what it stands for")
		case !ok:
			names := slices.Sorted(maps.Keys(known))
			r.meant[at.member(nearest(key.Value, names)).path] = true
			r.err(place{key.Line, at.path}, "%s is not known here%s", quoted(key.Value), hint(key.Value, names))
		default:
			seen[key.Value] = true
			read(value, within)
		}
	}
}

func firstOf(known map[string]func(*yaml.Node, place)) []string {
	names := slices.Sorted(maps.Keys(known))
	return names[:min(len(names), shownNames)]
}

// list reads each element of a list, up to a bound.
func (r *reader) list(n *yaml.Node, at place, most int, read func(*yaml.Node, place)) {
	if n.Kind != yaml.SequenceNode {
		r.err(at, "is %s, but must be a list", kindOf(n))
		return
	}
	if len(n.Content) > most {
		r.err(at, "has %d elements, which are more than %d", len(n.Content), most)
		return
	}
	for i, element := range n.Content {
		within := at.item(i)
		within.line = element.Line
		read(element, within)
	}
}

// plain reads a scalar that is written as such: "" after an error.
func (r *reader) plain(n *yaml.Node, at place, what string) (text string, ok bool) {
	switch {
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0:
		r.err(at, "is %s, but must be %s: if it begins with { it needs quotes", kindOf(n), what)
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.err(at, "is %s, but must be %s", kindOf(n), what)
	default:
		return n.Value, true
	}
	return "", false
}

// text reads a text into where it belongs. A number without quotes is a text, too.
func (r *reader) text(into *string) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		if text, ok := r.plain(n, at, "a text"); ok {
			*into = text
		}
	}
}

// name reads a text with its place.
func (r *reader) name(into *Text) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		at.line = n.Line
		if text, ok := r.plain(n, at, "a text"); ok {
			*into = Text{text, at}
		}
	}
}

func (r *reader) boolean(into *bool) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		text, ok := r.plain(n, at, "true or false")
		if !ok {
			return
		}
		if n.Tag != "!!bool" {
			r.err(at, "%s is neither true nor false", quoted(text))
			return
		}
		*into = strings.EqualFold(text, "true")
	}
}

// duration reads 250ms, 2s or 1m30s.
func (r *reader) duration(into *time.Duration, least, most time.Duration) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		text, ok := r.plain(n, at, "a duration such as 250ms")
		if !ok {
			return
		}
		d, err := time.ParseDuration(text)
		_, number := strconv.Atoi(text)
		switch {
		case err != nil && number == nil:
			r.err(at, "%s has no unit: write %s, or %s", quoted(text), text+"ms", text+"s")
		case err != nil:
			r.err(at, "%s is no duration such as 250ms, 2s or 1m30s", quoted(text))
		case d < least || d > most:
			r.err(at, "%s does not lie between %s and %s", quoted(text), shortly(least), shortly(most))
		default:
			*into = d
		}
	}
}

// shortly is a duration without the units that are 0.
func shortly(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(text, zero); ok {
			text = rest + zero[:1]
		}
	}
	return text
}

func (r *reader) count(into *uint32, least, most uint32) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		text, ok := r.plain(n, at, "a number")
		if !ok {
			return
		}
		v, err := strconv.ParseUint(text, 10, 32)
		if err != nil || uint32(v) < least || uint32(v) > most {
			r.err(at, "%s is no whole number between %d and %d", quoted(text), least, most)
			return
		}
		*into = uint32(v)
	}
}

func (r *reader) number(into *float64, most float64) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		text, ok := r.plain(n, at, "a number")
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= 0 && v <= most) { // not NaN either
			r.err(at, "%s is no number between 0 and %g", quoted(text), most)
			return
		}
		*into = v
	}
}

// choice reads one of a few texts.
func choice[T ~string](r *reader, into *T, among ...T) func(*yaml.Node, place) {
	return func(n *yaml.Node, at place) {
		text, ok := r.plain(n, at, "a text")
		if !ok {
			return
		}
		if !slices.Contains(among, T(text)) {
			names := make([]string, len(among))
			for i, a := range among {
				names[i] = string(a)
			}
			r.err(at, "%s is not known%s", quoted(text), hint(text, names))
			return
		}
		*into = T(text)
	}
}

// shownText is how many bytes of the user's text an error repeats.
const shownText = 60

func quoted(text string) string {
	if len(text) > shownText {
		text = text[:shownText] + "…"
	}
	return strconv.Quote(strings.ToValidUTF8(text, "\uFFFD"))
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	default:
		return "the text " + quoted(n.Value)
	}
}

// document parses YAML of one document without aliases.
func (r *reader) document(text []byte) *yaml.Node {
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		r.syntax(text, err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.err(place{line: second.Line}, "the file holds a second document, or something that is none")
		return nil
	}
	root := document.Content[0]
	if alias := aliased(root); alias != nil {
		r.err(place{line: alias.Line}, "aliases (* and &) are not read: write it out, or use a pattern; a text that begins with one of them needs quotes")
		return nil
	}
	return root
}

// syntax reports an error of the parser, whose text may begin with the line.
func (r *reader) syntax(text []byte, err error) {
	if errors.Is(err, io.EOF) {
		r.err(place{}, "the file is empty")
		return
	}
	message, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, text, found := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil && found {
			line, message = n, text
		}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if found := wrongLine(lines); found > 0 {
		line = found
		if needsQuotes.Match(lines[found-1]) {
			message += " (a text that begins with *, &, {, %, @ or a backquote needs quotes)"
		}
	}
	r.err(place{line: line}, "is no YAML: %s", message)
}

// needsQuotes is a text that YAML takes for something else.
var needsQuotes = regexp.MustCompile("[-:]\\s+([*&%@`]|{[0-9a-z]+})")

// wrongLine is the line at which what comes before it is still YAML, and from which on it is not: the parser often tells the line in
// which what is wrong has begun. 0 is not known: each line is tried, so there may not be many.
func wrongLine(lines [][]byte) int {
	const most, longest = 1000, 1 << 16
	text := bytes.Join(lines, nil)
	if len(lines) > most || len(text) > longest {
		return 0
	}
	for n := len(lines); n > 0; n-- {
		text = text[:len(text)-len(lines[n-1])]
		var document yaml.Node
		if err := yaml.Unmarshal(text, &document); err == nil {
			return n
		}
	}
	return 0
}

// aliased finds an anchor or an alias, which could make a short file endless.
func aliased(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, child := range n.Content {
		if found := aliased(child); found != nil {
			return found
		}
	}
	return nil
}

// A Text is a text of the file with its place.
type Text struct {
	Value string
	at    place
}

// String is the text.
func (t Text) String() string { return t.Value }
