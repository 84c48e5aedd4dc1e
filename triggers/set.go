package triggers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxFiles is how many manifests a folder may hold.
const MaxFiles = 1000

// A Set is what some files hold, in the order in which it was read. It is
// not changed after it was loaded.
type Set struct {
	Documents []Document
	Empty     []string // files without any document
}

// LoadDir reads every *.yaml, *.yml and *.json file of a folder, sorted by name.
// Sub-folders and hidden files are left out. A folder without such files gives
// an empty Set. Documents that cannot be read are left out of the Set and
// joined in the error, each as a *DocumentError; the Set is then what could be read.
func LoadDir(dir string) (*Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read triggers folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || !isManifest(name) {
			continue
		}
		info, err := os.Stat(name) // follows links: a mounted ConfigMap consists of them
		if err != nil {
			return nil, fmt.Errorf("read triggers folder: %w", err)
		}
		if !info.IsDir() {
			names = append(names, name)
		}
	}
	if len(names) > MaxFiles {
		return nil, fmt.Errorf("read triggers folder %s: more than %d manifests", dir, MaxFiles)
	}
	return LoadFiles(names...)
}

func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}

// LoadFiles reads files, whatever their names, in the order given. Errors are as in LoadDir.
func LoadFiles(names ...string) (*Set, error) {
	set := &Set{}
	var errs []error
	for _, name := range names {
		documents, err := loadFile(name)
		set.Documents = append(set.Documents, documents...)
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(documents) == 0:
			set.Empty = append(set.Empty, name)
		}
	}
	return set, errors.Join(errs...)
}

func loadFile(name string) ([]Document, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, &DocumentError{File: name, Err: err}
	}
	defer file.Close()
	return Decode(name, file)
}

// Triggers are the Triggers of an application: those whose spec.broker is its name.
func (s *Set) Triggers(application string) []*Trigger {
	var out []*Trigger
	for i := range s.Documents {
		if t := s.Documents[i].Trigger; t != nil && t.Spec.Broker == application && application != "" {
			out = append(out, t)
		}
	}
	return out
}

// Applications are the names that the Triggers' spec.broker has, sorted.
func (s *Set) Applications() []string {
	var out []string
	for i := range s.Documents {
		if t := s.Documents[i].Trigger; t != nil && t.Spec.Broker != "" {
			out = append(out, t.Spec.Broker)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// BrokerOf is the Broker that a Trigger reads from, nil if it is not in the
// Set: the one of that name in the Trigger's namespace.
func (s *Set) BrokerOf(t *Trigger) *Broker {
	for i := range s.Documents {
		b := s.Documents[i].Broker
		if b != nil && b.Metadata.Name == t.Spec.Broker && b.Metadata.namespace() == t.Metadata.namespace() {
			return b
		}
	}
	return nil
}

// namespace is where an object goes that names no namespace.
func (m *Metadata) namespace() string {
	if m.Namespace == "" {
		return "default"
	}
	return m.Namespace
}
