package opcua

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// Items says what is monitored. It is asked after each connect, and again by [Server.Refresh]. An error ends the connection;
// the server connects again after a pause.
type Items func(ctx context.Context, c *Connection) ([]Item, error)

// An Item is one node whose values, or one whose events, are monitored.
type Item struct {
	Node       NodeRef
	Publishing time.Duration // how often the server sends what it has, 0 as often as it can; items of the same share a subscription
	Sampling   time.Duration // how often the server looks at the value; 0 is each change that the server itself notices, as fast as it can
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
	Fields      []EventField // in the order of Event.Fields; 1 to 100
	Types       []NodeRef    // only events of these types or types derived from them; empty is all
	MinSeverity uint16       // 0 is all
}

// mostFields is how many fields of an event are told.
const mostFields = 100

// An EventField is a field of an event: the value at a path of browse names from its type.
type EventField struct {
	Type NodeRef // zero is BaseEventType
	// Path is "EventId", "Severity", "ActiveState/Id", …; names of StandardNamespace have Namespace "". Empty with Type
	// ConditionType is the condition's node id.
	Path []QualifiedName
}

// A Refusal is an item that the server does not monitor.
type Refusal struct {
	Item   Item
	Status Status
}

func (i *Item) check() error {
	switch {
	case i.Node.IsZero():
		return errors.New("no node")
	case i.Publishing < 0 || i.Sampling < 0:
		return errors.New("an interval is negative")
	case i.Deadband != nil && !(i.Deadband.Value >= 0 && i.Deadband.Value <= math.MaxFloat64):
		return errors.New("the deadband is not a number from 0 on")
	case i.Event != nil && i.Deadband != nil:
		return errors.New("events have no deadband")
	case i.Event != nil && (len(i.Event.Fields) == 0 || len(i.Event.Fields) > mostFields):
		return fmt.Errorf("an event has %d fields, not 1 to %d", len(i.Event.Fields), mostFields)
	}
	return nil
}

// A fingerprint is the same for items that are monitored in the same way.
type fingerprint [16]byte

func (i *Item) fingerprint() (f fingerprint) {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d %t", i.Node, i.Sampling, i.Queue, i.DiscardOldest)
	if i.Deadband != nil {
		fmt.Fprintf(h, " deadband %t %g", i.Deadband.Percent, i.Deadband.Value)
	}
	if i.Event != nil {
		fmt.Fprintf(h, " event %q %q %d", i.Event.Fields, i.Event.Types, i.Event.MinSeverity)
	}
	copy(f[:], h.Sum(nil))
	return f
}

// request is the request to monitor the item.
func (i *Item) request(s *space, handle uint32) (q binary.MonitoredItemCreateRequest, err error) {
	const reporting = 2
	q.MonitoringMode = reporting
	q.ItemToMonitor.AttributeID = uint32(ua.AttributeIDValue)
	if q.ItemToMonitor.NodeID, err = s.node(i.Node); err != nil {
		return q, err
	}
	p := &q.RequestedParameters
	p.ClientHandle, p.QueueSize, p.DiscardOldest = handle, max(1, i.Queue), i.DiscardOldest
	p.SamplingInterval = milliseconds(i.Sampling)
	switch {
	case i.Event != nil:
		q.ItemToMonitor.AttributeID = uint32(ua.AttributeIDEventNotifier)
		p.Filter, err = i.Event.filter(s)
	case i.Deadband != nil:
		p.Filter = i.Deadband.filter()
	}
	return q, err
}

func (d *Deadband) filter() binary.ExtensionObject {
	const statusOrValue, absolute, percent = 1, 1, 2
	f := &binary.DataChangeFilter{Trigger: statusOrValue, DeadbandType: absolute, DeadbandValue: d.Value}
	if d.Percent {
		f.DeadbandType = percent
	}
	return binary.Encoded(id.DataChangeFilter_Encoding_DefaultBinary, f)
}

// filter is the filter as the server is given it.
func (e *EventFilter) filter(s *space) (binary.ExtensionObject, error) {
	f := &binary.EventFilter{}
	for _, field := range e.Fields {
		operand, err := field.operand(s)
		if err != nil {
			return binary.ExtensionObject{}, err
		}
		f.SelectClauses = append(f.SelectClauses, operand)
	}
	where, err := e.where(s)
	if err != nil {
		return binary.ExtensionObject{}, err
	}
	f.WhereClause = where
	return binary.Encoded(id.EventFilter_Encoding_DefaultBinary, f), nil
}

func (f *EventField) operand(s *space) (o binary.SimpleAttributeOperand, err error) {
	o.TypeDefinitionID = binary.Numeric(id.BaseEventType)
	if !f.Type.IsZero() {
		if o.TypeDefinitionID, err = s.node(f.Type); err != nil {
			return o, err
		}
	}
	o.AttributeID = uint32(ua.AttributeIDValue)
	if len(f.Path) == 0 {
		o.AttributeID = uint32(ua.AttributeIDNodeID)
	}
	o.BrowsePath = []binary.QualifiedName{} // asyncua takes an empty array, and fails at a null one
	for _, name := range f.Path {
		q, err := s.qualified(name)
		if err != nil {
			return o, err
		}
		o.BrowsePath = append(o.BrowsePath, q)
	}
	return o, nil
}

// The operators of filters that are used here.
const (
	operatorAtLeast = 4
	operatorAnd     = 10
	operatorOr      = 11
	operatorOfType  = 14
)

// where is the condition for events: (one of the types) and severe enough. Its first element is its root; those that it is made
// of follow, each named by its index.
func (e *EventFilter) where(s *space) ([]binary.ContentFilterElement, error) {
	var types []binary.ContentFilterElement
	for _, t := range e.Types {
		node, err := s.node(t)
		if err != nil {
			return nil, err
		}
		types = append(types, binary.ContentFilterElement{FilterOperator: operatorOfType,
			FilterOperands: []binary.ExtensionObject{literal(binary.Variant{Type: binary.TypeNodeID, Value: node})}})
	}
	if e.MinSeverity == 0 {
		return chain(operatorOr, types, 0), nil
	}
	severity := binary.SimpleAttributeOperand{TypeDefinitionID: binary.Numeric(id.BaseEventType),
		BrowsePath: []binary.QualifiedName{{Name: "Severity"}}, AttributeID: uint32(ua.AttributeIDValue)}
	severe := binary.ContentFilterElement{FilterOperator: operatorAtLeast, FilterOperands: []binary.ExtensionObject{
		binary.Encoded(id.SimpleAttributeOperand_Encoding_DefaultBinary, &severity),
		literal(binary.Variant{Type: binary.TypeUInt16, Value: e.MinSeverity})}}
	if len(types) == 0 {
		return []binary.ContentFilterElement{severe}, nil
	}
	both := binary.ContentFilterElement{FilterOperator: operatorAnd, FilterOperands: []binary.ExtensionObject{element(1), element(2)}}
	return append([]binary.ContentFilterElement{both, severe}, chain(operatorOr, types, 2)...), nil
}

// chain joins elements with an operator of two operands; at is the index of the first one.
func chain(operator uint32, elements []binary.ContentFilterElement, at int) []binary.ContentFilterElement {
	if len(elements) < 2 {
		return elements
	}
	join := binary.ContentFilterElement{FilterOperator: operator, FilterOperands: []binary.ExtensionObject{element(at + 1), element(at + 2)}}
	return append([]binary.ContentFilterElement{join, elements[0]}, chain(operator, elements[1:], at+2)...)
}

func literal(v binary.Variant) binary.ExtensionObject {
	return binary.Encoded(id.LiteralOperand_Encoding_DefaultBinary, &binary.LiteralOperand{Value: v})
}

func element(index int) binary.ExtensionObject {
	return binary.Encoded(id.ElementOperand_Encoding_DefaultBinary, &binary.ElementOperand{Index: uint32(index)})
}
