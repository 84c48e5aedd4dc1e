package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
	"sigs.k8s.io/yaml"
)

// output is the flag that says how results are shown.
type output struct {
	Output string `short:"o" enum:"auto,table,plain,yaml,json" default:"auto" help:"How to show results: table, plain (tabs between fields), yaml or json. Left to itself, a list is a table on a terminal and plain elsewhere; one resource is yaml."`
}

// isTerminal tells whether somebody watches.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// one shows one document.
func (o *output) one(t terminal, columns []column, document json.RawMessage) error {
	if o.Output == "auto" {
		return writeYAML(t.out, document)
	}
	l := o.list(t, columns)
	if o.Output == "json" {
		return writeJSON(t.out, document)
	}
	return l.end(l.add(document))
}

// list begins to show documents.
func (o *output) list(t terminal, columns []column) lister {
	form := o.Output
	if form == "auto" {
		form = "plain"
		if isTerminal(t.out) {
			form = "table"
		}
	}
	switch form {
	case "json":
		return &jsonList{out: t.out}
	case "yaml":
		return &yamlList{out: t.out}
	case "plain":
		return &plainList{out: t.out, columns: columns}
	default:
		return newTable(t.out, columns)
	}
}

// A lister shows documents one after the other.
type lister interface {
	add(json.RawMessage) error
	end(error) error // with the error that ended the list, which it returns
}

func writeJSON(out io.Writer, document json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return fmt.Errorf("writing a document: %w", err)
	}
	_, err := fmt.Fprintln(out, b.String())
	return err
}

func writeYAML(out io.Writer, document json.RawMessage) error {
	text, err := yaml.JSONToYAML(document)
	if err != nil {
		return fmt.Errorf("writing a document: %w", err)
	}
	_, err = out.Write(text)
	return err
}

// A jsonList is one JSON array.
type jsonList struct {
	out   io.Writer
	count int
}

func (l *jsonList) add(document json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, document, "  ", "  "); err != nil {
		return fmt.Errorf("writing a document: %w", err)
	}
	before := ",\n  "
	if l.count == 0 {
		before = "[\n  "
	}
	l.count++
	_, err := fmt.Fprint(l.out, before, b.String())
	return err
}

// end closes the array only if it is whole, so that nobody takes a part for the whole.
func (l *jsonList) end(err error) error {
	if err != nil {
		return err
	}
	if l.count == 0 {
		_, err = fmt.Fprintln(l.out, "[]")
	} else {
		_, err = fmt.Fprintln(l.out, "\n]")
	}
	return err
}

// A yamlList is a stream of YAML documents, as apply reads it.
type yamlList struct {
	out   io.Writer
	count int
}

func (l *yamlList) add(document json.RawMessage) error {
	if l.count++; l.count > 1 {
		if _, err := fmt.Fprintln(l.out, "---"); err != nil {
			return err
		}
	}
	return writeYAML(l.out, document)
}

func (l *yamlList) end(err error) error { return err }
