package store

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

// Errors that a caller tells apart with errors.Is. Reads and deletions of what is not there wrap registry.ErrNotFound.
// Any other error means that the database could not be asked: it says nothing about the document.
var (
	// ErrInvalid wraps what registry's Validate says about a document, with the path of the bad field.
	ErrInvalid = errors.New("invalid document")
	// ErrConflict says that a name or alias belongs to another resource. The message names the field of the caller's
	// own document, and nothing of the other resource.
	ErrConflict = errors.New("already taken")
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
