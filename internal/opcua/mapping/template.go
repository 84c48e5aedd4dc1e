package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A template is a text with placeholders in braces. {{ and }} stand for a brace.
type template struct{ parts []part }

// A part is a literal or a placeholder.
type part struct{ literal, placeholder string }

func parseTemplate(text string, allowed ...string) (t template, err error) {
	var literal strings.Builder
	end := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '{' && c != '}' {
			literal.WriteByte(c)
			continue
		}
		if i+1 < len(text) && text[i+1] == c {
			literal.WriteByte(c)
			i++
			continue
		}
		if c == '}' {
			return t, errors.New("a } that closes nothing is written }}")
		}
		name, _, closed := strings.Cut(text[i+1:], "}")
		if !closed {
			return t, errors.New("a { is not closed")
		}
		if !slices.Contains(allowed, name) {
			return t, fmt.Errorf("{%s} is not known here%s", name, hint(name, allowed))
		}
		end()
		t.parts = append(t.parts, part{placeholder: name})
		i += 1 + len(name)
	}
	end()
	return t, nil
}

// uses tells whether a placeholder is in the template; "" is any.
func (t *template) uses(name string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.placeholder != "" && (name == "" || p.placeholder == name) })
}

// render fills the placeholders.
func (t *template) render(value func(placeholder string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.placeholder != "" {
			b.WriteString(value(p.placeholder))
		}
	}
	return b.String()
}

// placeholders of a name that is made from a match: the text of the n-th star, and the last browse name.
func matchPlaceholders(stars int) []string {
	list := []string{placeholderName}
	for n := range stars {
		list = append(list, strconv.Itoa(n+1))
	}
	return list
}

const (
	placeholderName = "name" // the browse name of what was matched
	placeholderNode = "node" // the name of a node in a channel
)
