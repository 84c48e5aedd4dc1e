package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/registry"
)

// applyAttempts is how often a resource is read and written anew when somebody else writes it at the same time.
const applyAttempts = 4

var (
	errTwice         = errors.New("is there twice in the files; the first one counts")
	errNoApplication = errors.New("its application does not exist, and is in no file")
)

// A result is what became of a resource.
type result string

// What may become of a resource.
const (
	created   result = "created"
	changed   result = "changed"
	unchanged result = "unchanged"
	deleted   result = "deleted"
)

// An application is what is known of one while devices of it are written.
type application struct {
	written chan struct{} // closed when its document has been written; nil if no file has named it yet

	// creating says that the last device did not exist, so that the next one probably does not either: one call is enough
	// then, and otherwise too.
	creating atomic.Bool

	look   sync.Once
	absent bool // when it was looked for
}

// release lets devices go on that wait for their application.
func (t *task) release() {
	if !t.isDevice() {
		close(t.of.written)
	}
}

func (t *task) isDevice() bool { return t.resource.Metadata.Application != "" }

// write takes one document to the registry.
func (a *applier) write(t *task) {
	defer t.release()
	if t.written != nil {
		<-t.written
	} else if t.isDevice() && a.isAbsent(t.of, t.resource.Metadata.Application) {
		a.mu.Lock()
		a.deferred[t.key] = struct{}{}
		a.mu.Unlock()
		return
	}
	if a.stop.Err() != nil {
		return
	}
	done, err := a.bring(t)
	switch {
	case err == nil:
		a.tally.done(t, done)
	case a.stop.Err() != nil && (cloud.IsTransient(err) || a.calls.Err() != nil):
		a.tally.unknown()
	default:
		a.tally.failed(t.at, t.what(), err)
		a.tally.advance(t.size)
		a.endless(err)
	}
}

// endless ends the whole if one failure means that all others would be the same.
func (a *applier) endless(err error) {
	if cloud.IsTransient(err) || cloud.IsLoggedOut(err) {
		a.giveUp(err)
	}
}

// isAbsent tells whether an application does not exist, as far as one may know.
func (a *applier) isAbsent(of *application, name string) bool {
	of.look.Do(func() {
		err := a.call(func() error { return a.client.Get(a.calls, cloud.ApplicationPath(name), nil) })
		of.absent = cloud.IsNotFound(err)
	})
	return of.absent
}

// call makes one call, again where that may help.
func (a *applier) call(do func() error) error {
	return cloud.Retry(a.stop, a.command.RetryFor, do)
}

// bring makes a resource what the document says. What somebody else writes at the same time is looked at anew.
func (a *applier) bring(t *task) (done result, err error) {
	if t.isDevice() && t.of.creating.Load() && !a.command.DryRun {
		if err := a.create(t); !cloud.IsConflict(err) {
			return created, err
		}
	}
	for attempt := 1; ; attempt++ {
		done, err = a.compare(t)
		if !cloud.IsConflict(err) || done == created || attempt == applyAttempts {
			break
		}
	}
	if err == nil {
		t.of.creating.Store(done == created)
	}
	return done, err
}

// compare reads what is there, and writes if that is something else.
func (a *applier) compare(t *task) (result, error) {
	var present registry.Device
	err := a.call(func() error { return a.client.Get(a.calls, t.path(), &present) })
	if cloud.IsNotFound(err) {
		return created, a.create(t)
	}
	if err != nil {
		return "", err
	}
	next := *t.resource
	next.Status = present.Status
	next.Metadata = merged(&present.Metadata, &t.resource.Metadata)
	if sameContent(&present.Metadata, &next.Metadata) && sameSections(present.Spec, next.Spec) {
		return unchanged, nil
	}
	if a.command.DryRun {
		return changed, nil
	}
	return changed, a.call(func() error { return a.client.Replace(a.calls, t.path(), &next) })
}

func (a *applier) create(t *task) error {
	if a.command.DryRun {
		return nil
	}
	return a.call(func() error {
		if t.isDevice() {
			return a.client.CreateDevice(a.calls, t.resource.Metadata.Application, t.resource)
		}
		return a.client.CreateApplication(a.calls, t.resource)
	})
}

func (t *task) path() cloud.Path {
	m := &t.resource.Metadata
	if !t.isDevice() {
		return cloud.ApplicationPath(m.Name)
	}
	return cloud.DevicePath(m.Application, m.Name)
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
