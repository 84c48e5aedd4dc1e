package triggers

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// Bounds of what one Trigger may filter by.
const (
	// MaxFilterDepth is how deep all, any and not may be nested.
	MaxFilterDepth = 16
	// MaxFilterNodes is how many filters a Trigger may have in all.
	MaxFilterNodes = 256
)

// A Filter tells which events a Trigger gets. The zero Filter selects every
// event. A Filter is immutable and safe for concurrent use.
type Filter struct {
	root matcher // nil: everything
}

// A matcher is one filter. It fails where the Kafka dispatcher throws the event
// away instead of deciding.
type matcher interface {
	match(e *Event) (bool, error)
}

// A FilterError says which filter of a Trigger cannot be used.
type FilterError struct {
	Path string // from the manifest's root, e.g. spec.filters[0].any[1].cesql
	Err  error
}

// Error says where and why.
func (e *FilterError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap is the reason alone.
func (e *FilterError) Unwrap() error { return e.Err }

// Compile turns the filter of a Trigger into what selects events: filters if
// there are any, all of which must match, else filter.attributes, else
// everything. A filter that Knative's webhook refuses, that its dispatcher would
// skip, or a CESQL expression that cannot be boolean is a *FilterError. Once
// compiled, a Filter decides as that of Knative's Kafka dispatcher does.
func Compile(t *Trigger) (Filter, error) {
	c := compiler{}
	switch {
	case len(t.Spec.Filters) > 0:
		root, err := c.list("spec.filters", t.Spec.Filters, 0)
		if err != nil {
			return Filter{}, err
		}
		return Filter{root: all(root)}, nil
	case t.Spec.Filter != nil && len(t.Spec.Filter.Attributes) > 0:
		if err := checkNames("spec.filter.attributes", t.Spec.Filter.Attributes); err != nil {
			return Filter{}, err
		}
		return Filter{root: newLegacy(t.Spec.Filter.Attributes)}, nil
	}
	return Filter{}, nil
}

// Select tells whether the Trigger gets the event. An error says why the Kafka
// dispatcher throws the event away before it has decided, whatever stands around
// the filter that failed; the Trigger then does not get it.
func (f Filter) Select(e *Event) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	ok, err := f.root.match(e)
	return ok && err == nil, err
}

// Match is Select for an event of the Go SDK. An event that no Kafka record can
// hold does not match.
func (f Filter) Match(e event.Event) bool {
	ok, err := f.Evaluate(e)
	return ok && err == nil
}

// Evaluate is Match that also tells why the event would be thrown away.
func (f Filter) Evaluate(e event.Event) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	own, err := FromSDK(e)
	if err != nil {
		return false, err
	}
	return f.Select(own)
}

// A compiler counts what it has compiled.
type compiler struct{ nodes int }

func (c *compiler) list(path string, docs []FilterDoc, depth int) ([]matcher, error) {
	out := make([]matcher, 0, len(docs))
	for i := range docs {
		m, err := c.filter(fmt.Sprintf("%s[%d]", path, i), &docs[i], depth)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (c *compiler) filter(path string, doc *FilterDoc, depth int) (matcher, error) {
	if c.nodes++; c.nodes > MaxFilterNodes {
		return nil, &FilterError{path, fmt.Errorf("more than %d filters", MaxFilterNodes)}
	}
	if depth >= MaxFilterDepth {
		return nil, &FilterError{path, fmt.Errorf("nested more than %d deep", MaxFilterDepth)}
	}
	dialects := doc.dialects()
	if len(dialects) == 0 {
		return nil, &FilterError{path, errors.New("no dialect set; Knative would skip this filter")}
	}
	if len(dialects) > 1 {
		return nil, &FilterError{path, fmt.Errorf("%s are set, but a filter has one dialect", strings.Join(dialects, " and "))}
	}
	path += "." + dialects[0]
	switch dialects[0] {
	case "all":
		children, err := c.list(path, doc.All, depth+1)
		return all(children), err
	case "any":
		children, err := c.list(path, doc.Any, depth+1)
		return anyOf(children), err
	case "not":
		child, err := c.filter(path, doc.Not, depth+1)
		return not{child}, err
	case "exact":
		return newAttributes(path, doc.Exact, equal, true)
	case "prefix":
		return newAttributes(path, doc.Prefix, strings.HasPrefix, false)
	case "suffix":
		return newAttributes(path, doc.Suffix, strings.HasSuffix, false)
	}
	m, err := newCESQL(doc.CESQL)
	if err != nil {
		return nil, &FilterError{path, err}
	}
	return m, nil
}

// dialects names the fields that are set. As for Knative, an empty list, map or
// expression is none.
func (d *FilterDoc) dialects() []string {
	var out []string
	add := func(set bool, name string) {
		if set {
			out = append(out, name)
		}
	}
	add(len(d.Exact) > 0, "exact")
	add(len(d.Prefix) > 0, "prefix")
	add(len(d.Suffix) > 0, "suffix")
	add(len(d.All) > 0, "all")
	add(len(d.Any) > 0, "any")
	add(d.Not != nil, "not")
	add(d.CESQL != "", "cesql")
	return out
}

// all matches if every filter does.
type all []matcher

func (a all) match(e *Event) (bool, error) {
	for _, m := range a {
		if ok, err := m.match(e); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// anyOf matches if one filter does.
type anyOf []matcher

func (a anyOf) match(e *Event) (bool, error) {
	for _, m := range a {
		if ok, err := m.match(e); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// not matches if its filter does not.
type not struct{ child matcher }

func (n not) match(e *Event) (bool, error) {
	ok, err := n.child.match(e)
	return !ok, err
}

// attributes matches if the text of every attribute named passes.
type attributes struct {
	want []pair
	test func(value, want string) bool
	// absent tells that an attribute that is not there just does not match.
	absent bool
}

// A pair is an attribute and what it should be.
type pair struct{ name, value string }

func equal(value, want string) bool { return value == want }

func newAttributes(path string, want map[string]string, test func(value, want string) bool, absent bool) (matcher, error) {
	if err := checkNames(path, want); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] == "" {
			return nil, &FilterError{path + "." + name, errors.New("empty value; Knative would skip this filter and let every event through")}
		}
	}
	return &attributes{want: pairs(want), test: test, absent: absent}, nil
}

// pairs are the attributes that matter, by name: an empty value is no condition.
func pairs(want map[string]string) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != "" {
			out = append(out, pair{name, want[name]})
		}
	}
	return out
}

// newLegacy is filter.attributes: exact, in which an empty value is no condition.
func newLegacy(want map[string]string) matcher {
	return &attributes{want: pairs(want), test: equal, absent: true}
}

func (a *attributes) match(e *Event) (bool, error) {
	for _, want := range a.want {
		value, ok := e.filterText(want.name)
		if !ok && !a.absent {
			return false, fmt.Errorf("prefix and suffix cannot be asked for a %s that is not there", want.name)
		}
		if !ok || !a.test(value, want.value) {
			return false, nil
		}
	}
	return true, nil
}

// attributeName is what Knative's webhook accepts as the name of an attribute.
const attributeName = `^[a-z][a-z0-9]*$`

func checkNames(path string, want map[string]string) error {
	valid := regexp.MustCompile(attributeName)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !valid.MatchString(name) {
			return &FilterError{path, fmt.Errorf("%.40q is not the name of an attribute: want a lower-case letter, then lower-case letters and digits", name)}
		}
	}
	return nil
}
