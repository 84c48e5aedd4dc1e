package registry

import (
	"errors"
	"fmt"
	"slices"
)

// SectionCommands is the section of a gateway device that says where commands for its devices are sent to, if it is not connected
// itself.
const SectionCommands = "commands"

// Commands is the section "commands" of a device. Of several entries the last one counts.
type Commands struct {
	Commands []struct {
		External *CommandEndpoint `json:"external"`
	} `json:"commands"`
}

// A CommandEndpoint takes commands over HTTP.
type CommandEndpoint struct {
	Type CommandType `json:"type"`
	ExternalEndpoint
}

// A CommandType says how a command is written as a request.
type CommandType string

// The types.
const (
	PlainCommands CommandType = ""
	TTNCommands   CommandType = "ttn" // the same as TTNv2Commands
	TTNv2Commands CommandType = "ttnv2"
	TTNv3Commands CommandType = "ttnv3"
)

var commandTypes = []CommandType{PlainCommands, TTNCommands, TTNv2Commands, TTNv3Commands}

// ErrNoCommandEndpoint says that commands are not sent to an endpoint.
var ErrNoCommandEndpoint = errors.New("the device has no endpoint in spec.commands")

// CommandEndpoint is where commands for the devices of a gateway are sent to. The error is ErrNoCommandEndpoint, or names the path of
// what makes the section unusable and none of its content.
func (d *Device) CommandEndpoint() (*CommandEndpoint, error) {
	section, _, err := Decode[Commands](d.Spec, SectionCommands)
	if err != nil {
		return nil, fmt.Errorf("spec.%s: cannot be read", SectionCommands)
	}
	last := len(section.Commands) - 1
	if last < 0 {
		return nil, ErrNoCommandEndpoint
	}
	path := fmt.Sprintf("spec.%s.commands[%d]", SectionCommands, last)
	e := section.Commands[last].External
	if e == nil {
		return nil, fmt.Errorf("%s: lacks external", path)
	}
	if !slices.Contains(commandTypes, e.Type) {
		return nil, fmt.Errorf("%s.external.type: is not known", path)
	}
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("%s.external.%w", path, err)
	}
	return e, nil
}

var commandsShape = &shape{kind: isObject, members: map[string]*shape{
	"commands": {kind: isList, each: &shape{kind: isObject, oneOf: true, members: map[string]*shape{"external": commandEndpointShape()}}},
}}

func commandEndpointShape() *shape {
	members := map[string]*shape{"type": oneOf(string(TTNCommands), string(TTNv2Commands), string(TTNv3Commands))}
	for name, member := range endpointShape.members {
		members[name] = member
	}
	return &shape{kind: isObject, needs: endpointShape.needs, members: members, check: endpointShape.check}
}
