package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/cloud/documents"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/registry"
)

// An applier takes documents from their files to the registry. One goroutine reads, some write.
type applier struct {
	command *applyCommand
	client  *cloud.Client
	t       terminal
	tally   *tally

	stop   context.Context // ends when nothing more is to be begun
	giveUp context.CancelCauseFunc
	calls  context.Context // ends some time after that
	end    func()

	// What the reader knows.
	seen         map[deviceKey]struct{}
	applications map[string]*application

	mu       sync.Mutex
	deferred map[deviceKey]struct{} // devices whose application may come later in the files
}

// A deviceKey stands for the name of a device, which may be long.
type deviceKey [16]byte

func keyOf(m *registry.Metadata) (key deviceKey) {
	sum := sha256.Sum256([]byte(m.Application + "\x00" + m.Name))
	copy(key[:], sum[:])
	return key
}

// A task is one document on its way.
type task struct {
	at       position
	size     int
	resource *registry.Device // or an application, which has the same form
	of       *application
	written  <-chan struct{} // ends the wait for the application of a device; nil if no file has named it yet
	key      deviceKey
}

// A position is where a document stands.
type position struct {
	file string
	line int
}

// String is as editors understand it.
func (p position) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

func newApplier(ctx context.Context, c *applyCommand, client *cloud.Client, t terminal, size int64) *applier {
	stop, giveUp := context.WithCancelCause(ctx)
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(stop, func() { time.AfterFunc(applyGrace, cancel) })
	a := &applier{
		command: c, client: client, t: t, tally: newTally(t, c, size), stop: stop, giveUp: giveUp, calls: calls,
		seen: map[deviceKey]struct{}{}, applications: map[string]*application{}, deferred: map[deviceKey]struct{}{},
	}
	a.end = func() {
		a.tally.stop()
		giveUp(nil)
		cancel()
	}
	return a
}

// run reads all files and has everything written. Devices that come before their application are made in a second pass.
func (a *applier) run(s *sources) {
	a.pass(s, a.take)
	if len(a.deferred) == 0 || a.stop.Err() != nil {
		return
	}
	a.tally.again()
	a.pass(s, a.takeDeferred)
}

// pass reads all files, and waits until what it took is written.
func (a *applier) pass(s *sources, take func(*task) bool) {
	tasks := make(chan *task)
	wait := a.start(func() {
		for t := range tasks {
			a.write(t)
		}
	})
	for _, one := range s.all {
		if a.stop.Err() != nil {
			break
		}
		if err := a.read(one, take, tasks); err != nil {
			a.invalid(take, position{file: one.name}, err)
		}
	}
	close(tasks)
	wait()
}

// start starts the writers.
func (a *applier) start(write func()) (wait func()) {
	var writers sync.WaitGroup
	for range a.command.Parallel {
		writers.Go(write)
	}
	return writers.Wait
}

// read reads one file. What is wrong with a document is counted.
func (a *applier) read(s source, take func(*task) bool, tasks chan<- *task) error {
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	reader := documents.NewReader(file)
	for a.stop.Err() == nil {
		document, err := reader.Next()
		var at *documents.Error
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &at):
			a.invalid(take, position{s.name, at.Line}, at.Err)
			if at.Fatal {
				return nil
			}
			continue
		case err != nil:
			return fmt.Errorf("reading %s: %w", s.name, err)
		}
		t, err := decode(document, s.name)
		if err == nil {
			err = a.command.judgeWith(a.tally.say, t.what(), t.problems())
		}
		if err != nil {
			a.invalid(take, position{s.name, document.Line}, err)
			continue
		}
		if !take(t) {
			continue
		}
		select {
		case tasks <- t:
		case <-a.stop.Done():
			t.release()
		}
	}
	return nil
}

// decode reads a document. Of one that a list printed, it leaves out what belongs to the registry that printed it.
func decode(d documents.Document, file string) (*task, error) {
	application, device, err := registryfile.Document(d.Text)
	if err != nil {
		return nil, err
	}
	if application != nil {
		device = (*registry.Device)(application)
	}
	m := &device.Metadata
	if m.UID != "" {
		m.Finalizers = nil // of controllers that are over there
	}
	device.Metadata = registry.Metadata{Name: m.Name, Application: m.Application, Labels: m.Labels, Annotations: m.Annotations, Finalizers: m.Finalizers}
	device.Status = nil
	return &task{at: position{file, d.Line}, size: len(d.Text), resource: device}, nil
}

// problems are what of a document is probably not meant so.
func (t *task) problems() []registry.Problem {
	if t.isDevice() {
		return registry.CheckDevice(t.resource)
	}
	return registry.CheckApplication((*registry.Application)(t.resource))
}

// invalid counts a document that cannot be used. The second pass meets it again.
func (a *applier) invalid(take func(*task) bool, at position, err error) {
	if take(nil) {
		a.tally.failed(at, "", &invalidDocument{err})
	}
}

// An invalidDocument is an error in a file.
type invalidDocument struct{ error }

// take notes a document, and tells whether it is to be written.
func (a *applier) take(t *task) bool {
	if t == nil {
		return true
	}
	m := &t.resource.Metadata
	if !t.isDevice() {
		return a.takeApplication(t, m.Name)
	}
	t.key = keyOf(m)
	if _, twice := a.seen[t.key]; twice {
		a.tally.failed(t.at, t.what(), errTwice)
		return false
	}
	a.seen[t.key] = struct{}{}
	t.of = a.application(m.Application)
	t.written = t.of.written
	return true
}

func (a *applier) takeApplication(t *task, name string) bool {
	t.of = a.application(name)
	if t.of.written != nil {
		a.tally.failed(t.at, t.what(), errTwice)
		return false
	}
	t.of.written = make(chan struct{})
	return true
}

// takeDeferred takes only what waits for an application that has come since.
func (a *applier) takeDeferred(t *task) bool {
	if t == nil || !t.isDevice() {
		return false
	}
	m := &t.resource.Metadata
	t.key, t.of = keyOf(m), a.application(m.Application)
	if !a.waits(t.key) {
		return false
	}
	if t.of.written == nil {
		a.tally.failed(t.at, t.what(), errNoApplication)
		return false
	}
	t.written = t.of.written
	return true
}

// waits tells once whether a device was put off.
func (a *applier) waits(key deviceKey) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, waits := a.deferred[key]
	delete(a.deferred, key)
	return waits
}

func (a *applier) application(name string) *application {
	of, ok := a.applications[name]
	if !ok {
		of = &application{}
		a.applications[name] = of
	}
	return of
}

// what says which resource it is.
func (t *task) what() string {
	m := &t.resource.Metadata
	if !t.isDevice() {
		return "application " + m.Name
	}
	return "device " + m.Application + "/" + m.Name
}
