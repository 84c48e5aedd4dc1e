package command

// A Command is one message from an application to a device.
type Command struct {
	Application string // registry name
	Gateway     string // registry name of the connected device that is to hand it over: the device itself or a gateway of it
	Device      string // name of the device that it is for
	Name        string
	ContentType string // "" if none was given
	Payload     []byte
}

// Own tells whether the command is for the connected device itself.
func (c *Command) Own() bool { return c.Gateway == c.Device }

// A Scope says which commands for a connected device a listener takes.
type Scope byte

// The scopes.
const (
	Own Scope = iota // for the connected device itself
	One              // for one device, which may be the connected one
	All              // for the connected device and for all that it acts for
)

// A Filter says which commands a listener takes.
type Filter struct {
	Application string // registry name
	Gateway     string // registry name of the connected device
	Scope       Scope
	Device      string // with One: the device
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
