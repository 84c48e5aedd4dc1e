package registry

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of names, in bytes.
const (
	MaxApplicationName = 64
	MaxLabel           = 63 // one part of an application name between dots
	MaxDeviceName      = 255
)

// ValidateApplicationName checks that a name is a lower-case host name (RFC 1123 section 2.1) of at most
// MaxApplicationName bytes.
func ValidateApplicationName(name string) error {
	if name == "" {
		return errors.New("application name is empty")
	}
	if len(name) > MaxApplicationName {
		return fmt.Errorf("application name is longer than %d bytes", MaxApplicationName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := validateLabel(label); err != nil {
			return fmt.Errorf("application name: %w", err)
		}
	}
	return nil
}

func validateLabel(label string) error {
	if label == "" || len(label) > MaxLabel {
		return fmt.Errorf("each part between dots has 1 to %d characters", MaxLabel)
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return errors.New("a part neither starts nor ends with a hyphen")
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return errors.New("only lower-case letters, digits, hyphens and dots are allowed")
		}
	}
	return nil
}

// ValidateDeviceName checks a device name or alias: 1 to MaxDeviceName bytes of UTF-8 without control characters.
// Everything else is allowed, spaces and slashes too, except "." and "..": many clients and proxies take them out of a path,
// escaped or not, so that whoever deletes the device ".." deletes its application.
func ValidateDeviceName(name string) error {
	if name == "" {
		return errors.New("device name is empty")
	}
	if len(name) > MaxDeviceName {
		return fmt.Errorf("device name is longer than %d bytes", MaxDeviceName)
	}
	if !utf8.ValidString(name) {
		return errors.New("device name is not UTF-8")
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("device name contains a control character")
	}
	if name == "." || name == ".." {
		return fmt.Errorf("device name is %q, which stands for a way in paths", name)
	}
	return nil
}
