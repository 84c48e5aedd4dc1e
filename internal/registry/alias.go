package registry

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxAlias is the size limit in bytes of any name or alias by which a resource is looked up. The longest ones are the
// distinguished names of trust anchors.
const MaxAlias = 1024

// ValidateAlias checks what can be looked up at all: 1 to MaxAlias bytes of UTF-8 without control characters. No
// resource has any other name, so that stores and caches answer ErrNotFound for it without asking a database, which
// might choke on it.
func ValidateAlias(value string) error {
	if value == "" {
		return errors.New("alias is empty")
	}
	if len(value) > MaxAlias {
		return fmt.Errorf("alias is longer than %d bytes", MaxAlias)
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return errors.New("alias contains a control character")
		}
	}
	if !utf8.ValidString(value) {
		return errors.New("alias is not UTF-8")
	}
	return nil
}
