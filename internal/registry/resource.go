package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound says that no application or device answers to a name. Stores and caches return it, possibly wrapped.
var ErrNotFound = errors.New("not found")

// Sections are the named parts of a specification or a status, each undecoded.
type Sections map[string]json.RawMessage

// Metadata is what applications and devices have in common. The unexported part of the wire contract, the revision, is
// not part of the JSON document.
type Metadata struct {
	Name              string            `json:"name"`
	Application       string            `json:"application,omitempty"` // devices only
	UID               string            `json:"uid,omitempty"`
	CreationTimestamp time.Time         `json:"creationTimestamp,omitzero"`
	Generation        uint64            `json:"generation,omitempty"` // grows when the specification changes
	ResourceVersion   string            `json:"resourceVersion,omitempty"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp,omitempty"`
	Finalizers        []string          `json:"finalizers,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`

	// Revision grows by one with every stored change of this document.
	Revision uint64 `json:"-"`
}

// Deleting tells whether the resource is on its way out: such a resource admits nobody.
func (m *Metadata) Deleting() bool { return m.DeletionTimestamp != nil }

// An Application is a tenant: it owns devices, a Kafka topic and the rules for its messages.
type Application struct {
	Metadata Metadata `json:"metadata"`
	Spec     Sections `json:"spec,omitempty"`
	Status   Sections `json:"status,omitempty"`
}

// A Device belongs to one application. A gateway is a device too: one that other devices name in their gatewaySelector.
type Device struct {
	Metadata Metadata `json:"metadata"`
	Spec     Sections `json:"spec,omitempty"`
	Status   Sections `json:"status,omitempty"`
}

// Decode reads one section, of which the members count whose names are exactly those of fields. It tells whether the section was
// there; a section that does not parse is an error that names the section but none of its content.
func Decode[T any](s Sections, name string) (value T, ok bool, err error) {
	raw, ok := s[name]
	if !ok || string(raw) == "null" {
		return value, false, nil
	}
	if err := unmarshal(raw, &value); err != nil {
		return value, true, &sectionError{name}
	}
	return value, true, nil
}

// A sectionError tells of a section that does not parse.
type sectionError struct{ name string }

// Error names the section.
func (e *sectionError) Error() string { return fmt.Sprintf("section %q does not parse", e.name) }

// Without returns a copy that lacks the named sections. The sections themselves are shared.
func (s Sections) Without(names ...string) Sections {
	kept := make(Sections, len(s))
	for name, raw := range s {
		kept[name] = raw
	}
	for _, name := range names {
		delete(kept, name)
	}
	return kept
}
