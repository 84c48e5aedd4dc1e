package mqtt

import (
	"strings"

	"github.com/fairlead/fairlead/internal/command"
)

// inbox begins the topics of commands.
const inbox = "command/inbox/"

// A filter is a topic filter for commands:
//
//	filter                    commands                           delivered at
//	command/inbox/#           own, and of all proxied devices    command/inbox//<name>, command/inbox/<device>/<name>
//	command/inbox/+/#         the same                           the same
//	command/inbox//#          own                                command/inbox//<name>
//	command/inbox/<device>/#  of that device, which may be the   command/inbox/<device>/<name>
//	                          connected one
type filter struct {
	scope  command.Scope
	device string // with command.One
}

// parseFilter reads one of the four forms, to the letter. There are no others. The result shares memory with the text.
func parseFilter(text string) (f filter, ok bool) {
	rest, ok := strings.CutPrefix(text, inbox)
	if !ok {
		return filter{}, false
	}
	if rest == "#" {
		return filter{scope: command.All}, true
	}
	device, ok := strings.CutSuffix(rest, "/#")
	switch {
	case !ok || strings.ContainsAny(device, "/#"):
		return filter{}, false
	case device == "+":
		return filter{scope: command.All}, true
	case device == "":
		return filter{scope: command.Own}, true
	case strings.Contains(device, "+"):
		return filter{}, false
	default:
		return filter{scope: command.One, device: device}, true
	}
}

// topic is where a command is delivered.
func (f filter) topic(c *command.Command) string {
	if f.scope != command.One && c.Own() {
		return inbox + "/" + c.Name
	}
	return inbox + c.Device + "/" + c.Name
}
