package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairlead/fairlead/internal/cloud"
)

// edit lets a person change a resource in their editor, and writes it unless somebody else has written meanwhile. What the
// person wrote is checked first, and kept in a file if it cannot be used.
func edit(ctx context.Context, t terminal, client *cloud.Client, path cloud.Path, check func(resource) error) error {
	var before json.RawMessage
	if err := client.Get(ctx, path, &before); err != nil {
		return err
	}
	text, extension, err := editable(before)
	if err != nil {
		return err
	}
	name, edited, err := askEditor(ctx, t, text, extension)
	if err != nil {
		return err
	}
	if bytes.Equal(edited, text) {
		fmt.Fprintln(t.err, "nothing was changed")
		return os.Remove(name)
	}
	next, err := parseResource(edited)
	if err == nil {
		err = check(next)
	}
	if err == nil {
		err = client.Replace(ctx, path, next)
	}
	switch {
	case cloud.IsConflict(err):
		return fmt.Errorf("somebody else has changed it meanwhile; what you wrote is in %s: %w", name, err)
	case err != nil:
		return fmt.Errorf("%w; what you wrote is in %s", err, name)
	}
	fmt.Fprintln(t.err, "changed")
	return os.Remove(name)
}

// editable gives a resource as YAML, or as JSON where YAML would not keep each number as it is.
func editable(document json.RawMessage) (text []byte, extension string, err error) {
	text, err = yaml.JSONToYAML(document)
	if err == nil {
		var asYAML, asJSON resource
		asYAML, err = parseResource(text)
		if err == nil {
			asJSON, err = parseResource(document)
		}
		if err == nil && reflect.DeepEqual(asYAML, asJSON) {
			return text, ".yaml", nil
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return nil, "", fmt.Errorf("reading a resource: %w", err)
	}
	return append(b.Bytes(), '\n'), ".json", nil
}

// askEditor has a text edited in a file that only its owner can read, since it may hold credentials. The caller removes
// the file.
func askEditor(ctx context.Context, t terminal, text []byte, extension string) (name string, edited []byte, err error) {
	file, err := os.CreateTemp("", "fairlead-*"+extension)
	if err != nil {
		return "", nil, fmt.Errorf("making a file to edit: %w", err)
	}
	name = file.Name()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", nil, errors.Join(fmt.Errorf("making a file to edit: %w", err), os.Remove(name))
	}
	words := editorWords(firstText(strings.TrimSpace(os.Getenv("VISUAL")), strings.TrimSpace(os.Getenv("EDITOR")), "vi"))
	editor := exec.CommandContext(ctx, words[0], append(words[1:], name)...)
	editor.Stdin, editor.Stdout, editor.Stderr = t.in, t.out, t.err
	if err := editor.Run(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("editing with %s: %w; nothing was changed", words[0], err), os.Remove(name))
	}
	edited, err = readAtMost(t, name, maxInput)
	return name, edited, err
}

// editorWords are the name of an editor and its arguments, as in EDITOR="code --wait". A program may have spaces in its path.
func editorWords(text string) []string {
	if _, err := exec.LookPath(text); err == nil {
		return []string{text}
	}
	return strings.Fields(text)
}
