package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/triggers"
)

type triggerCommand struct {
	Check triggerCheck `cmd:"" help:"Say what is wrong or doubtful in manifests. Exit status 1 if anything is wrong."`
	Test  triggerTest  `cmd:"" help:"Show which of the newest events a Trigger would get, and why not the others."`
}

type triggerCheck struct {
	Strict bool     `help:"Let warnings count as errors."`
	Files  []string `arg:"" name:"file" help:"Manifests: YAML or JSON."`
}

// Run prints one line per finding: file:document: path: message (rule).
func (c *triggerCheck) Run(t terminal) error {
	set, err := triggers.LoadFiles(c.Files...)
	findings := slices.Concat(triggers.LintErrors(err), triggers.Lint(set))
	bad := false
	for _, f := range findings {
		fmt.Fprintln(t.out, findingLine(f))
		bad = bad || c.Strict || f.Severity == triggers.Error
	}
	if bad {
		return errReported
	}
	fmt.Fprintf(t.err, "%s, %s: no errors\n", count(len(c.Files), "file"), count(len(set.Documents), "document"))
	return nil
}

func findingLine(f triggers.Finding) string {
	line := f.File + ":"
	if f.Document > 0 {
		line += fmt.Sprintf("%d:", f.Document)
	}
	if f.Item > 0 {
		line += fmt.Sprintf("item %d:", f.Item)
	}
	if f.Path != "" {
		line += " " + f.Path + ":"
	}
	return fmt.Sprintf("%s %s: %s (%s)", line, f.Severity, f.Message, f.Rule)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// chosen are the Triggers of one manifest that belong to an application, or all if none is named.
func chosen(file, application string) ([]*triggers.Trigger, error) {
	set, err := triggers.LoadFiles(file)
	if err != nil {
		return nil, err
	}
	applications := set.Applications()
	if application != "" {
		applications = []string{application}
	}
	var all []*triggers.Trigger
	for _, name := range applications {
		all = append(all, set.Triggers(name)...)
	}
	if len(all) == 0 && application != "" {
		return nil, fmt.Errorf("%s holds no Trigger whose spec.broker is %q", file, application)
	}
	if len(all) == 0 {
		return nil, errors.New(file + " holds no Trigger with a spec.broker")
	}
	return all, nil
}
