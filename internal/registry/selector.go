package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a selector.
const (
	MaxSelector     = 4096 // bytes of its text
	MaxRequirements = 32
	MaxValues       = 64 // of one requirement
)

// An Operator is how a requirement judges a label.
type Operator string

// The operators. NotEquals and NotIn select only what has the label, as they always did on the wire.
const (
	Exists    Operator = "exists"
	NotExists Operator = "!"
	Equals    Operator = "="
	NotEquals Operator = "!="
	In        Operator = "in"
	NotIn     Operator = "notin"
)

// A Requirement is one condition on one label. Exists and NotExists have no values, Equals and NotEquals have one, In and
// NotIn any number.
type Requirement struct {
	Key      string
	Operator Operator
	Values   []string
}

// A Selector selects resources by their labels: those that meet all requirements. The empty one selects everything.
type Selector []Requirement

// Matches tells whether labels meet every requirement.
func (s Selector) Matches(labels map[string]string) bool {
	for _, r := range s {
		if !r.matches(labels) {
			return false
		}
	}
	return true
}

func (r Requirement) matches(labels map[string]string) bool {
	value, ok := labels[r.Key]
	switch r.Operator {
	case Exists:
		return ok
	case NotExists:
		return !ok
	case Equals, In:
		return ok && slices.Contains(r.Values, value)
	default:
		return ok && !slices.Contains(r.Values, value)
	}
}

// ParseSelector reads requirements that are separated by commas:
//
//	key   !key   key=value   key!=value   key in (value, value)   key notin (value, value)
//
// A key may begin with a prefix of letters, digits and dots that ends with a slash. What follows the slash, and a value,
// begins with a letter or digit and goes on with letters, digits, '_', '-' and '.'. Spaces around each part do not
// matter. The empty text is the empty selector.
func ParseSelector(text string) (Selector, error) {
	if len(text) > MaxSelector {
		return nil, fmt.Errorf("longer than %d bytes", MaxSelector)
	}
	p := selectorParser{rest: text}
	if p.spaces(); p.rest == "" {
		return nil, nil
	}
	var s Selector
	for {
		r, err := p.requirement()
		if err != nil {
			return nil, err
		}
		if s = append(s, r); len(s) > MaxRequirements {
			return nil, fmt.Errorf("more than %d requirements", MaxRequirements)
		}
		if p.rest == "" {
			return s, nil
		}
		if !p.take(",") {
			return nil, p.unexpected("a comma")
		}
	}
}

// A selectorParser has read all but the rest of a selector.
type selectorParser struct{ rest string }

func (p *selectorParser) spaces() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take reads a mark and the spaces around it.
func (p *selectorParser) take(mark string) bool {
	p.spaces()
	rest, ok := strings.CutPrefix(p.rest, mark)
	if ok {
		p.rest = rest
		p.spaces()
	}
	return ok
}

func (p *selectorParser) unexpected(wanted string) error {
	const most = 16
	found := p.rest
	if len(found) > most {
		found = found[:most] + "…"
	}
	if found == "" {
		return fmt.Errorf("%s is missing at the end", wanted)
	}
	return fmt.Errorf("%s is missing before %q", wanted, found)
}

func (p *selectorParser) requirement() (r Requirement, err error) {
	if p.take("!") {
		r.Operator = NotExists
		r.Key, err = p.key()
		p.spaces()
		return r, err
	}
	if r.Key, err = p.key(); err != nil {
		return r, err
	}
	word := strings.HasPrefix(p.rest, " ") || strings.HasPrefix(p.rest, "\t")
	switch {
	case p.take("!="):
		r.Operator = NotEquals
	case p.take("="):
		r.Operator = Equals
	case word && p.take("notin"):
		r.Operator = NotIn
	case word && p.take("in"):
		r.Operator = In
	default:
		r.Operator = Exists
		return r, nil
	}
	if r.Operator == In || r.Operator == NotIn {
		r.Values, err = p.list()
		return r, err
	}
	value, err := p.value("a value")
	r.Values = []string{value}
	return r, err
}

// key reads an optional prefix with its slash, and a name.
func (p *selectorParser) key() (string, error) {
	p.spaces()
	n := 0
	if end := strings.IndexFunc(p.rest, func(c rune) bool { return !isAlphanumeric(c) && c != '.' }); end > 0 && p.rest[end] == '/' {
		if !isLetter(rune(p.rest[0])) {
			return "", errors.New("the prefix of a key begins with a letter")
		}
		n = end + 1
	}
	length := valueLength(p.rest[n:])
	if length == 0 {
		return "", p.unexpected("a key")
	}
	key := p.rest[:n+length]
	p.rest = p.rest[n+length:]
	return key, nil
}

func (p *selectorParser) value(what string) (string, error) {
	n := valueLength(p.rest)
	if n == 0 {
		return "", p.unexpected(what)
	}
	value := p.rest[:n]
	p.rest = p.rest[n:]
	p.spaces()
	return value, nil
}

// list reads values in parentheses. There may be none.
func (p *selectorParser) list() (values []string, err error) {
	if !p.take("(") {
		return nil, p.unexpected("an opening parenthesis")
	}
	if p.take(")") {
		return nil, nil
	}
	for {
		value, err := p.value("a value")
		if err != nil {
			return nil, err
		}
		if values = append(values, value); len(values) > MaxValues {
			return nil, fmt.Errorf("more than %d values", MaxValues)
		}
		if p.take(")") {
			return values, nil
		}
		if !p.take(",") {
			return nil, p.unexpected("a closing parenthesis")
		}
	}
}

// valueLength is the number of bytes of the value or name that a text begins with.
func valueLength(text string) int {
	for i, c := range text {
		if !isAlphanumeric(c) && (i == 0 || c != '_' && c != '-' && c != '.') {
			return i
		}
	}
	return len(text)
}

func isLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isAlphanumeric(c rune) bool { return isLetter(c) || c >= '0' && c <= '9' }

// String writes a selector as ParseSelector reads it.
func (s Selector) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		switch r.Operator {
		case Exists:
			parts[i] = r.Key
		case NotExists:
			parts[i] = "!" + r.Key
		case Equals, NotEquals:
			parts[i] = r.Key + string(r.Operator) + r.Values[0]
		default:
			parts[i] = r.Key + " " + string(r.Operator) + " (" + strings.Join(r.Values, ", ") + ")"
		}
	}
	return strings.Join(parts, ",")
}
