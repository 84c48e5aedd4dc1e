package registry

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of metadata and of the names of sections. What a label may be is wider than what a Selector can name.
const (
	MaxLabels       = 100
	MaxLabelKey     = 316 // bytes
	MaxLabelValue   = 255 // bytes
	MaxFinalizers   = 32
	MaxFinalizer    = 253 // bytes
	MaxSectionName  = 253 // bytes
	MaxSectionCount = 256 // in a specification or a status
)

// validate checks what a writer may set of the metadata, besides the names. The error names the path of the bad field.
func (m *Metadata) validate() error {
	if err := m.validateLabels(); err != nil {
		return fmt.Errorf("metadata.labels: %w", err)
	}
	for key := range m.Annotations {
		if key == "" {
			return errors.New("metadata.annotations: a key is empty")
		}
	}
	if len(m.Finalizers) > MaxFinalizers {
		return fmt.Errorf("metadata.finalizers: more than %d", MaxFinalizers)
	}
	seen := make(map[string]bool, len(m.Finalizers))
	for _, name := range m.Finalizers {
		if err := validateText(name, MaxFinalizer); err != nil {
			return fmt.Errorf("metadata.finalizers: a name %w", err)
		}
		if seen[name] {
			return errors.New("metadata.finalizers: a name is there twice")
		}
		seen[name] = true
	}
	return nil
}

func (m *Metadata) validateLabels() error {
	if len(m.Labels) > MaxLabels {
		return fmt.Errorf("more than %d", MaxLabels)
	}
	for key, value := range m.Labels {
		if err := validateText(key, MaxLabelKey); err != nil {
			return fmt.Errorf("a key %w", err)
		}
		if value == "" {
			continue
		}
		if err := validateText(value, MaxLabelValue); err != nil {
			return fmt.Errorf("a value %w", err)
		}
	}
	return nil
}

// validateSections checks the names of sections, which become part of what is told of a change.
func validateSections(path string, s Sections) error {
	if len(s) > MaxSectionCount {
		return fmt.Errorf("%s: more than %d sections", path, MaxSectionCount)
	}
	for name := range s {
		if err := validateText(name, MaxSectionName); err != nil {
			return fmt.Errorf("%s: the name of a section %w", path, err)
		}
	}
	return nil
}

// validateText checks for 1 to limit bytes of UTF-8 without control characters. The error goes on after a noun.
func validateText(text string, limit int) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case len(text) > limit:
		return fmt.Errorf("is longer than %d bytes", limit)
	case !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("contains a control character")
	}
	return nil
}
