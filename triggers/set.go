package triggers

import (
	"errors"
	"os"
	"slices"
)

// MaxFiles is how many manifests a folder may hold.
const MaxFiles = 1000

// A Set is what some files hold, in the order in which it was read. It is
// not changed after it was loaded.
type Set struct {
	Documents []Document
	Empty     []string // files without any document
}

// LoadFiles reads files, whatever their names, in the order given. Documents that cannot be read are left out of the Set and
// joined in the error, each as a *DocumentError; the Set is then what could be read.
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
