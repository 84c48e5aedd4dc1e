package store

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// maxPaths bounds the paths of one change; beyond, everything counts as changed.
const maxPaths = 32

const (
	specPrefix   = ".spec."
	statusPrefix = ".status."
)

func everything() []string { return []string{registry.EverythingChanged} }

func ofSpecification(path string) bool { return strings.HasPrefix(path, specPrefix) }

// changedPaths lists what differs between two versions of a document, in the order metadata, specification, status and
// there by name; nothing if they say the same to a reader, however their JSON is written.
func changedPaths(current, next *row) []string {
	var paths []string
	if current.finalizers != next.finalizers || current.labels != next.labels || current.annotations != next.annotations {
		paths = append(paths, registry.MetadataChanged)
	}
	paths = append(paths, changedSections(specPrefix, current.spec, next.spec)...)
	return append(paths, changedSections(statusPrefix, current.status, next.status)...)
}

func changedSections(prefix, current, next string) (paths []string) {
	if current == next {
		return nil
	}
	before, after := sections(current), sections(next)
	for name, raw := range before {
		if other, ok := after[name]; !ok || !sameJSON(string(raw), string(other)) {
			paths = append(paths, prefix+name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			paths = append(paths, prefix+name)
		}
	}
	slices.Sort(paths)
	return paths
}

// sections reads a column; what does not parse has none.
func sections(column string) registry.Sections {
	var s registry.Sections
	if column != "" {
		_ = json.Unmarshal([]byte(column), &s)
	}
	return s
}
