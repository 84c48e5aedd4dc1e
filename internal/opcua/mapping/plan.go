package mapping

import "github.com/fairlead/fairlead/internal/opcua"

// A Plan is what comes of a server's part of the file at the server.
type Plan struct {
	Devices []*DevicePlan
	Items   []opcua.Item // whose keys are *ValuePlan and *EventPlan
}

// A DevicePlan is one device.
type DevicePlan struct {
	Name   string
	Object opcua.NodeRef
	Writes map[string]opcua.NodeRef // variables by the name in commands
	Calls  map[string]Method        // methods by the name in commands
}

// A Method is what a command may call.
type Method struct{ Object, Method opcua.NodeRef }

// A ChannelPlan is one channel of a device.
type ChannelPlan struct {
	Device   *DevicePlan
	Name     string
	Together bool // all nodes of a message in one event
}

// A ValuePlan is a variable that is monitored, the key of its item.
type ValuePlan struct {
	Channel *ChannelPlan
	Node    string        // name in the channel
	Range   opcua.NodeRef // property with the range; zero if it is not asked for, or not there
	Units   opcua.NodeRef // property with the unit; as Range

	at    place
	where string // browse path, or id
}

// An EventPlan is a notifier whose events are monitored, the key of its item. Several devices may share it.
type EventPlan struct {
	Fields  []EventField
	Targets []EventTarget
}

// An EventTarget is what events of a notifier become.
type EventTarget struct {
	Device  *DevicePlan
	Channel string
	From    map[opcua.NodeRef]bool // sources; nil is all
}

// Takes tells whether events of a source are the device's.
func (t *EventTarget) Takes(source opcua.NodeRef) bool { return t.From == nil || t.From[source] }

// LineOf is the line of the file that the key of an item comes from; 0 if it is of several.
func LineOf(key any) int {
	if v, ok := key.(*ValuePlan); ok {
		return v.at.line
	}
	return 0
}
