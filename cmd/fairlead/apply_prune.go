package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/registry"
)

// prune deletes the devices that are in no file, of the applications that the files name. It does so only if everything
// else went well: what could not be read may be in a file all the same.
func (a *applier) prune() {
	if a.stop.Err() != nil {
		return
	}
	if a.tally.hasFailed() {
		a.tally.say("nothing was pruned, since something failed")
		return
	}
	var surplus []registry.Metadata
	for _, name := range slices.Sorted(maps.Keys(a.applications)) {
		err := a.call(func() (err error) { // from the beginning, if the list breaks off
			var of []registry.Metadata
			if of, err = a.surplus(name); err == nil {
				surplus = append(surplus, of...)
			}
			return err
		})
		if err != nil && !(a.command.DryRun && cloud.IsNotFound(err)) {
			a.tally.failed(position{file: "--prune"}, "application "+name, err)
			return
		}
	}
	if len(surplus) == 0 || !a.confirmed(surplus) {
		return
	}
	a.delete(surplus)
}

// surplus lists the devices of an application that are in no file.
func (a *applier) surplus(application string) (all []registry.Metadata, err error) {
	err = a.client.Devices(a.stop, application, cloud.Selection{}, func(raw json.RawMessage) error {
		var device struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &device); err != nil || device.Metadata.Name == "" {
			return errors.New("the list has something that is no device")
		}
		m := registry.Metadata{Application: application, Name: device.Metadata.Name}
		if _, wanted := a.seen[keyOf(&m)]; !wanted {
			all = append(all, m)
		}
		return nil
	})
	return all, err
}

// confirmed asks whether so many devices may go.
func (a *applier) confirmed(surplus []registry.Metadata) bool {
	if a.command.DryRun || a.command.Yes {
		return true
	}
	names := make([]string, 0, maxExamples+1)
	for _, m := range surplus[:min(len(surplus), maxExamples)] {
		names = append(names, oneLine(m.Application+"/"+m.Name))
	}
	if more := len(surplus) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %s more", grouped(more)))
	}
	a.tally.stop()
	if !ask(a.t, fmt.Sprintf("%s are in no file: %s. Delete them?", countOf(len(surplus), "device"), strings.Join(names, ", "))) {
		a.tally.say("nothing was pruned")
		return false
	}
	return true
}

// countOf is a number of things.
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// delete deletes devices, several at once.
func (a *applier) delete(surplus []registry.Metadata) {
	tasks := make(chan *registry.Metadata)
	wait := a.start(func() {
		for m := range tasks {
			a.deleteDevice(m)
		}
	})
	defer wait()
	defer close(tasks)
	for i := range surplus {
		select {
		case tasks <- &surplus[i]:
		case <-a.stop.Done():
			return
		}
	}
}

func (a *applier) deleteDevice(m *registry.Metadata) {
	what := "device " + m.Application + "/" + m.Name
	var err error
	if !a.command.DryRun {
		err = a.call(func() error { return a.client.Delete(a.calls, cloud.DevicePath(m.Application, m.Name)) })
	}
	switch {
	case err == nil, cloud.IsNotFound(err):
		a.tally.deleted(what)
	case a.stop.Err() != nil && cloud.IsTransient(err):
		a.tally.unknown()
	default:
		a.tally.failed(position{file: "--prune"}, what, err)
		a.endless(err)
	}
}
