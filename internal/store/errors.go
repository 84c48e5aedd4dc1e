package store

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

// Errors that a caller tells apart with errors.Is. Reads and deletions of what is not there wrap registry.ErrNotFound.
// Any other error means that the database could not be asked: it says nothing about the document.
var (
	// ErrInvalid says that a document is not valid; a FieldError tells where.
	ErrInvalid = errors.New("invalid document")
	// ErrConflict says that a name or alias belongs to another resource; a FieldError tells which field of the caller's
	// own document it is, and nothing of the other resource.
	ErrConflict = errors.New("conflict")
	// ErrExpectation says that the document is not the one, or not in the version, that the writer expected.
	ErrExpectation = errors.New("not what the writer expected")
	// ErrReference says that the application of a device does not exist or is being deleted. It is a
	// registry.ErrNotFound too.
	ErrReference = fmt.Errorf("the device's application is %w", registry.ErrNotFound)
	// ErrSchema says that the database has no schema or one that is older than this code.
	ErrSchema = errors.New("database schema is missing or too old")

	errNoApplication = fmt.Errorf("application %w", registry.ErrNotFound)
	errNoDevice      = fmt.Errorf("device %w", registry.ErrNotFound)

	errNotJSON = errors.New("not valid JSON")
	errNotUTF8 = errors.New("not valid UTF-8")
)

// A FieldError is about a field of the document that was to be written. It is ErrInvalid or ErrConflict.
type FieldError struct {
	Kind error
	Text string // the path of the field, a colon, and what is wrong; for the writer
}

func (e *FieldError) Error() string { return e.Kind.Error() + ": " + e.Text }

func (e *FieldError) Unwrap() error { return e.Kind }

func invalid(err error) error { return &FieldError{ErrInvalid, err.Error()} }

func taken(kind registry.AliasKind) error {
	return &FieldError{ErrConflict, field(kind) + ": is taken already"}
}

// field names where in a document an alias comes from.
func field(kind registry.AliasKind) string {
	switch kind {
	case registry.AliasName:
		return "metadata.name"
	case registry.AliasUsername:
		return "spec." + registry.SectionAuthentication + ".credentials.user.username"
	case registry.AliasTrustAnchor:
		return "status." + registry.SectionTrustAnchors
	default:
		return "spec." + string(kind)
	}
}
