// Package command takes commands from applications and hands them to the devices that listen now, best effort.
//
//   - sender.go finds out where a command goes: to the device, to the gateways that may act for it, or to an endpoint outside. It
//     knows no HTTP.
//   - handler.go and answer.go are the API for users.
//   - event.go takes commands as CloudEvents: from Triggers, with which a subscriber answers an event, and from applications. What
//     it answers is never an event, and it takes no other type than that of commands, so that no loop can come about.
package command
