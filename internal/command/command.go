package command

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a command, in bytes.
const (
	MaxName    = 255
	MaxPayload = 900 << 10 // hard limit; who takes commands from applications has a lower one
)

// Header fields of the function that takes commands, and of answers to devices.
const (
	HeaderReached     = "Fairlead-Reached"    // how many listeners took the command
	HeaderCorrelation = "Command-Correlation" // what the device repeats in its answer, if somebody waits for one
	HeaderAwaited     = "Fairlead-Awaited"    // the device that may answer, where HeaderCorrelation went with the command; percent-encoded
)

// A Command is one message from an application to a device.
type Command struct {
	Application string // registry name
	Gateway     string // registry name of the connected device that is to hand it over: the device itself or a gateway of it
	Device      string // name of the device that it is for
	Name        string
	ContentType string // "" if none was given
	Payload     []byte

	Respond     bool   // somebody waits for an answer of the device
	Correlation string // what the device repeats in its answer; "" if nobody waits
}

// Own tells whether the command is for the connected device itself.
func (c *Command) Own() bool { return c.Gateway == c.Device }

// ValidateName checks the name of a command: 1 to MaxName bytes of UTF-8, without control characters and without the wildcards of MQTT,
// which no topic may hold.
func ValidateName(name string) error {
	switch {
	case name == "":
		return errors.New("the command has no name")
	case len(name) > MaxName:
		return fmt.Errorf("the command's name is longer than %d bytes", MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the command's name is not text")
	case strings.ContainsAny(name, "+#"):
		return errors.New("the command's name holds a wildcard, + or #")
	default:
		return nil
	}
}

// A Scope says which commands for a connected device a listener takes.
type Scope byte

// The scopes.
const (
	Own Scope = iota // for the connected device itself
	One              // for one device, which may be the connected one
	All              // for the connected device and for all that it acts for
)

// A Filter says which commands a listener takes, and for which protocol.
type Filter struct {
	Application string // registry name
	Gateway     string // registry name of the connected device
	Scope       Scope
	Device      string // with One: the device
	Protocol    string // by which the device listens, as internal/refusal names it
}

// Matches tells whether the listener takes a command.
func (f *Filter) Matches(c *Command) bool {
	if f.Application != c.Application || f.Gateway != c.Gateway {
		return false
	}
	switch f.Scope {
	case Own:
		return c.Own()
	case One:
		return f.Device == c.Device
	default:
		return true
	}
}
