package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/registry"
)

// applyAttempts is how often a resource is read and written anew when somebody else writes it at the same time.
const applyAttempts = 4

type applyCommand struct {
	remote
	Files []string `short:"f" name:"file" required:"" placeholder:"FILE" help:"File with applications and devices, YAML or JSON, any number of documents; - is standard input; repeatable."`
}

// Run makes the registry have what the files say. It goes on where something fails.
func (c *applyCommand) Run(ctx context.Context, t terminal) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	var contents registryfile.Contents
	for _, name := range c.Files {
		text, err := readAtMost(t, name, registryfile.MaxFileBytes)
		if err != nil {
			return err
		}
		of, err := registryfile.Documents(name, text)
		if err != nil {
			return err
		}
		contents.Applications = append(contents.Applications, of.Applications...)
		contents.Devices = append(contents.Devices, of.Devices...)
	}
	var problems []error
	report := func(what, result string, err error) {
		if err != nil {
			problems = append(problems, about(what, err))
			return
		}
		fmt.Fprintf(t.err, "%s %s\n", printable(what), result)
	}
	for _, a := range contents.Applications {
		result, err := applyApplication(ctx, client, a)
		report("application "+a.Metadata.Name, result, err)
	}
	for _, d := range contents.Devices {
		result, err := applyDevice(ctx, client, d)
		report("device "+d.Metadata.Application+"/"+d.Metadata.Name, result, err)
	}
	return errors.Join(problems...)
}

func applyApplication(ctx context.Context, client *cloud.Client, wanted *registry.Application) (string, error) {
	path := cloud.ApplicationPath(wanted.Metadata.Name)
	return apply(func() (string, error) {
		var present registry.Application
		err := client.Get(ctx, path, &present)
		if cloud.IsNotFound(err) {
			wanted.Status = nil
			return "created", client.CreateApplication(ctx, wanted)
		}
		if err != nil {
			return "", err
		}
		next := *wanted
		next.Status = present.Status
		next.Metadata = merged(&present.Metadata, &wanted.Metadata)
		if sameContent(&present.Metadata, &next.Metadata) && sameSections(present.Spec, next.Spec) {
			return "unchanged", nil
		}
		return "changed", client.Replace(ctx, path, &next)
	})
}

func applyDevice(ctx context.Context, client *cloud.Client, wanted *registry.Device) (string, error) {
	application := wanted.Metadata.Application
	path := cloud.DevicePath(application, wanted.Metadata.Name)
	return apply(func() (string, error) {
		var present registry.Device
		err := client.Get(ctx, path, &present)
		if cloud.IsNotFound(err) {
			wanted.Status = nil
			return "created", client.CreateDevice(ctx, application, wanted)
		}
		if err != nil {
			return "", err
		}
		next := *wanted
		next.Status = present.Status
		next.Metadata = merged(&present.Metadata, &wanted.Metadata)
		if sameContent(&present.Metadata, &next.Metadata) && sameSections(present.Spec, next.Spec) {
			return "unchanged", nil
		}
		return "changed", client.Replace(ctx, path, &next)
	})
}

// apply tries again when somebody else was faster.
func apply(try func() (string, error)) (result string, err error) {
	for range applyAttempts {
		if result, err = try(); !cloud.IsConflict(err) {
			break
		}
	}
	return result, err
}

// merged is the metadata to write: of what is there, with what the file decides. Finalizers belong to others, unless the
// file names some. A version in the file, from an earlier look at the registry, does not count.
func merged(present, wanted *registry.Metadata) registry.Metadata {
	next := *present
	next.Labels, next.Annotations = wanted.Labels, wanted.Annotations
	if len(wanted.Finalizers) > 0 {
		next.Finalizers = wanted.Finalizers
	}
	return next
}

func sameContent(a, b *registry.Metadata) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) && slices.Equal(a.Finalizers, b.Finalizers)
}

func sameSections(a, b registry.Sections) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool {
		return bytes.Equal(x, y) || reflect.DeepEqual(decoded(x), decoded(y))
	})
}

// decoded keeps the digits of numbers.
func decoded(text json.RawMessage) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return string(text)
	}
	return value
}
