package opcua

import (
	"context"
	"time"
)

// Items says what is monitored. It is asked after each connect, and again by [Server.Refresh]. An error ends the connection;
// the server connects again after a pause.
type Items func(ctx context.Context, c *Connection) ([]Item, error)

// An Item is one node whose values, or one whose events, are monitored. Times of 0 leave the choice to the server.
type Item struct {
	Node       NodeRef
	Publishing time.Duration // how often the server sends what it has; items of the same share a subscription
	Sampling   time.Duration // how often the server looks at the value
	Queue      uint32        // values that the server keeps between two sendings; 0 is 1
	// DiscardOldest: when the queue overflows the server drops the oldest value, otherwise the newest. It sets the overflow bit.
	DiscardOldest bool
	Deadband      *Deadband    // nil: every change of value or status
	Event         *EventFilter // nil: the value is monitored; otherwise the events of the node
	Key           any          // comes back with each Value and Event, and to Refused
}

// A Deadband is how much a number has to change to be told.
type Deadband struct {
	Percent bool    // of the node's EURange; otherwise absolute
	Value   float64 // not negative
}

// An EventFilter says which events of a node are told, and which of their fields.
type EventFilter struct {
	Fields      []EventField // in the order of Event.Fields; at most 100
	Types       []NodeRef    // only events of these types or types derived from them; empty is all
	MinSeverity uint16       // 0 is all
}

// An EventField is a field of an event: the value at a path of browse names from its type.
type EventField struct {
	Type NodeRef // zero is BaseEventType
	// Path is "EventId", "Severity", "ActiveState/Id", … ; names of StandardNamespace have Namespace "". Empty with Type
	// ConditionType is the condition's node id.
	Path []QualifiedName
}

// A Refusal is an item that the server does not monitor.
type Refusal struct {
	Item   Item
	Status Status
}
