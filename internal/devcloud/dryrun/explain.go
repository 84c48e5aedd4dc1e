package dryrun

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/triggers"
)

// An Explainer tells whether a Trigger gets an event, and if not, which of its filters keeps it out.
type Explainer struct {
	whole triggers.Filter
	parts []part
}

// A part is one filter that must match.
type part struct {
	filter triggers.Filter
	text   string
}

// Explain prepares the filters of a Trigger. A filter that cannot be used is an error that names it.
func Explain(t *triggers.Trigger) (*Explainer, error) {
	whole, err := triggers.Compile(t)
	if err != nil {
		return nil, err
	}
	e := &Explainer{whole: whole}
	if len(t.Spec.Filters) > 0 {
		return e, e.split(t)
	}
	if t.Spec.Filter == nil {
		return e, nil
	}
	for _, name := range slices.Sorted(maps.Keys(t.Spec.Filter.Attributes)) {
		value := t.Spec.Filter.Attributes[name]
		alone := *t
		alone.Spec.Filter = &triggers.Attributes{Attributes: map[string]string{name: value}}
		if err := e.add(&alone, fmt.Sprintf("filter: %s is not %q", name, value)); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *Explainer) split(t *triggers.Trigger) error {
	for i, document := range t.Spec.Filters {
		text, err := text(document)
		if err != nil {
			return err
		}
		alone := *t
		alone.Spec.Filters = []triggers.FilterDoc{document}
		if err := e.add(&alone, fmt.Sprintf("filters[%d]: %s", i, text)); err != nil {
			return err
		}
	}
	return nil
}

// text is a filter as a user would write it in JSON.
func text(document triggers.FilterDoc) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return "", fmt.Errorf("showing a filter: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

func (e *Explainer) add(t *triggers.Trigger, text string) error {
	filter, err := triggers.Compile(t)
	if err != nil {
		return err
	}
	e.parts = append(e.parts, part{filter, text})
	return nil
}

// Match tells whether the Trigger gets the event. If not, why names the first filter that does not match, or says why
// the event is thrown away.
func (e *Explainer) Match(event *triggers.Event) (ok bool, why string) {
	ok, err := e.whole.Select(event)
	switch {
	case ok:
		return true, ""
	case err != nil:
		return false, "thrown away: " + err.Error()
	}
	for _, p := range e.parts {
		if ok, _ := p.filter.Select(event); !ok {
			return false, p.text
		}
	}
	return false, "the filters together"
}
