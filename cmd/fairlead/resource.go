package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/registry"
)

// A resource is an application or a device as the API has it. Members that the command line does not know stay, and
// numbers keep their digits.
type resource map[string]any

// maxInput bounds a file with one resource, in bytes. The API takes 64 KiB as JSON; YAML may have comments.
const maxInput = 1 << 20

// parseResource reads JSON or YAML.
func parseResource(text []byte) (resource, error) {
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, fmt.Errorf("neither YAML nor JSON: %w", err)
	}
	if json.Valid(text) {
		asJSON = text // as it is: YAML would round long numbers
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var r resource
	if err := decoder.Decode(&r); err != nil || r == nil {
		return nil, errors.New("is not an object")
	}
	return r, nil
}

// member is an object in a resource, made if it is not there.
func (r resource) member(path ...string) (map[string]any, error) {
	object := map[string]any(r)
	for i, name := range path {
		value, present := object[name]
		if !present || value == nil {
			value = map[string]any{}
			object[name] = value
		}
		next, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: is not an object", strings.Join(path[:i+1], "."))
		}
		object = next
	}
	return object, nil
}

// items is a list in an object; none if it is not there.
func items(object map[string]any, name string) ([]any, error) {
	value, present := object[name]
	if !present || value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: is not a list", name)
	}
	return list, nil
}

// content are the flags that say what a new resource holds.
type content struct {
	File  string            `short:"f" placeholder:"FILE" help:"File with the resource, YAML or JSON; - is standard input."`
	Spec  string            `placeholder:"TEXT" help:"Specification, YAML or JSON, instead of the file's."`
	Label map[string]string `short:"l" mapsep:"," placeholder:"NAME=VALUE" help:"Label; repeatable."`
}

// build makes a resource of the flags.
func (c *content) build(t terminal, name, application string) (resource, error) {
	r := resource{}
	if c.File != "" {
		text, err := readFile(t, c.File)
		if err != nil {
			return nil, err
		}
		if r, err = parseResource(text); err != nil {
			return nil, fmt.Errorf("%s: %w", c.File, err)
		}
		delete(r, "kind")
		delete(r, "apiVersion")
	}
	if c.Spec != "" {
		spec, err := parseResource([]byte(c.Spec))
		if err != nil {
			return nil, fmt.Errorf("--spec: %w", err)
		}
		r["spec"] = map[string]any(spec)
	}
	metadata, err := r.member("metadata")
	if err != nil {
		return nil, err
	}
	metadata["name"] = name
	if application != "" {
		metadata["application"] = application
	}
	if len(c.Label) > 0 {
		labels, err := r.member("metadata", "labels")
		if err != nil {
			return nil, err
		}
		for key, value := range c.Label {
			labels[key] = value
		}
	}
	return r, nil
}

// readFile reads a file; "-" is standard input.
func readFile(t terminal, name string) ([]byte, error) {
	return readAtMost(t, name, maxInput)
}

func readAtMost(t terminal, name string, most int64) ([]byte, error) {
	from := t.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return text, nil
}

// selection are the flags of a list.
type selection struct {
	Selector string `short:"l" placeholder:"LABELS" help:"Only those with these labels: name=value, name!=value, name, !name, name in (a, b), name notin (a, b); commas between."`
	Limit    int    `help:"Number of resources at most; 0 is all."`
	Offset   int    `help:"Number of resources to leave out at the begin."`
}

func (s *selection) check() error {
	if s.Limit < 0 || s.Offset < 0 {
		return errors.New("--limit and --offset are not negative")
	}
	if _, err := registry.ParseSelector(s.Selector); err != nil {
		return fmt.Errorf("--selector: %w", err)
	}
	return nil
}
