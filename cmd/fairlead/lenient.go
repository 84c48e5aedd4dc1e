package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/registry"
)

// strictness is the flag of every command that writes documents which people wrote.
type strictness struct {
	Lenient bool `help:"Write what is probably not meant so (unknown members of known sections, names that are nearly those of sections, values without effect), and warn."`
}

// judge refuses problems, or warns of them.
func (s *strictness) judge(t terminal, what string, problems []registry.Problem) error {
	return s.judgeWith(func(text string) { fmt.Fprintln(t.err, text) }, what, problems)
}

func (s *strictness) judgeWith(warn func(string), what string, problems []registry.Problem) error {
	var all []error
	for _, problem := range problems {
		if s.Lenient {
			warn(fmt.Sprintf("warning: %s: %s", printable(what), problem))
			continue
		}
		all = append(all, fmt.Errorf("%s: %s", what, problem))
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%w\n(--lenient writes it nevertheless)", errors.Join(all...))
}

// problems finds what of a resource is probably not meant so. What is no resource at all is the API's to refuse.
func (r resource) problems(device bool) []registry.Problem {
	text, err := json.Marshal(r)
	var document struct{ Spec registry.Sections }
	if err != nil || json.Unmarshal(text, &document) != nil {
		return nil
	}
	if device {
		return registry.CheckDevice(&registry.Device{Spec: document.Spec})
	}
	return registry.CheckApplication(&registry.Application{Spec: document.Spec})
}

// since are the problems that were not there before.
func since(before, after []registry.Problem) []registry.Problem {
	return slices.DeleteFunc(after, func(p registry.Problem) bool { return slices.Contains(before, p) })
}
