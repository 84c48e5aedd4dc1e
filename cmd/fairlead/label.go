package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/cloud"
)

type labelCommand struct {
	App    labelApp    `cmd:"" help:"Change the labels of an application."`
	Device labelDevice `cmd:"" help:"Change the labels of a device."`
}

// labels are the arguments of both.
type labels struct {
	Overwrite bool     `help:"Also change labels that have another value."`
	Labels    []string `arg:"" name:"label" help:"name=value adds a label, name- takes it away."`
}

type labelApp struct {
	remote
	Name string `arg:"" complete:"app" help:"Application."`
	labels
}

// Run changes the labels of an application.
func (c *labelApp) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	return c.change(ctx, t, client, cloud.ApplicationPath(c.Name), "application "+c.Name)
}

type labelDevice struct {
	inApplication
	Name string `arg:"" complete:"device" help:"Device."`
	labels
}

// Run changes the labels of a device.
func (c *labelDevice) Run(ctx context.Context, t terminal) error {
	client, application, err := c.connect()
	if err != nil {
		return err
	}
	return c.change(ctx, t, client, cloud.DevicePath(application, c.Name), "device "+c.Name)
}

// errSame keeps what would change nothing from being written.
var errSame = errors.New("unchanged")

func (l *labels) change(ctx context.Context, t terminal, client *cloud.Client, path cloud.Path, what string) error {
	add, remove, err := readLabels(l.Labels)
	if err != nil {
		return err
	}
	err = changeResource(ctx, client, path, func(r resource) error {
		present, err := r.member("metadata", "labels")
		if err != nil {
			return err
		}
		return changeLabels(present, add, remove, l.Overwrite)
	})
	switch {
	case errors.Is(err, errSame):
		fmt.Fprintln(t.err, printable(what)+" unchanged")
		return nil
	case err != nil:
		return about(what, err)
	}
	fmt.Fprintln(t.err, printable(what)+" changed")
	return nil
}

// changeLabels gives errSame if there is nothing to change.
func changeLabels(present map[string]any, add map[string]string, remove []string, overwrite bool) error {
	same := true
	for _, name := range slices.Sorted(maps.Keys(add)) {
		value := add[name]
		before, there := present[name]
		if there && before != value && !overwrite {
			return fmt.Errorf("label %s is %v already; --overwrite changes it", name, before)
		}
		same = same && there && before == value
		present[name] = value
	}
	for _, name := range remove {
		_, there := present[name]
		same = same && !there
		delete(present, name)
	}
	if same {
		return errSame
	}
	return nil
}

// readLabels reads name=value and name-.
func readLabels(words []string) (add map[string]string, remove []string, err error) {
	add = map[string]string{}
	seen := map[string]bool{}
	for _, word := range words {
		name, value, adds := strings.Cut(word, "=")
		if !adds {
			name = strings.TrimSuffix(word, "-")
		}
		switch {
		case name == "" || (!adds && name == word):
			return nil, nil, fmt.Errorf("%q is no label: name=value adds one, name- takes it away", word)
		case seen[name]:
			return nil, nil, fmt.Errorf("label %s is there twice", name)
		case adds:
			add[name] = value
		default:
			remove = append(remove, name)
		}
		seen[name] = true
	}
	return add, remove, nil
}
