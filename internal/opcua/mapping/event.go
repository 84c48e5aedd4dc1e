package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/opcua"
)

// eventTypes are types of events that every server may have (OPC 10000-5 and 10000-9), by their numbers.
var eventTypes = map[string]string{
	"BaseEventType":                      "2041",
	"AuditEventType":                     "2052",
	"AuditSecurityEventType":             "2058",
	"AuditUpdateEventType":               "2099",
	"SystemEventType":                    "2130",
	"DeviceFailureEventType":             "2131",
	"BaseModelChangeEventType":           "2132",
	"GeneralModelChangeEventType":        "2133",
	"TransitionEventType":                "2311",
	"ProgressEventType":                  "11436",
	"SystemStatusChangeEventType":        "11446",
	"ConditionType":                      "2782",
	"DialogConditionType":                "2830",
	"AcknowledgeableConditionType":       "2881",
	"AlarmConditionType":                 "2915",
	"LimitAlarmType":                     "2955",
	"ExclusiveLimitAlarmType":            "9341",
	"ExclusiveLevelAlarmType":            "9482",
	"ExclusiveDeviationAlarmType":        "9764",
	"ExclusiveRateOfChangeAlarmType":     "9623",
	"NonExclusiveLimitAlarmType":         "9906",
	"NonExclusiveLevelAlarmType":         "10060",
	"NonExclusiveDeviationAlarmType":     "10368",
	"NonExclusiveRateOfChangeAlarmType":  "10214",
	"DiscreteAlarmType":                  "10523",
	"OffNormalAlarmType":                 "10637",
	"SystemOffNormalAlarmType":           "11753",
	"CertificateExpirationAlarmType":     "13225",
	"TripAlarmType":                      "10751",
	"RefreshStartEventType":              "2787",
	"RefreshEndEventType":                "2788",
	"AuditConditionEventType":            "2790",
	"AuditConditionEnableEventType":      "2803",
	"AuditConditionCommentEventType":     "2829",
	"AuditConditionAcknowledgeEventType": "8944",
	"AuditConditionConfirmEventType":     "8961",
	"AuditConditionShelvingEventType":    "11093",
	"EventQueueOverflowEventType":        "3035",
	"AuditWriteUpdateEventType":          "2100",
	"AuditUpdateMethodEventType":         "2127",
	"AuditNodeManagementEventType":       "2090",
	"AuditSessionEventType":              "2069",
	"AuditActivateSessionEventType":      "2075",
	"SemanticChangeEventType":            "2738",
}

var eventTypeNames = slices.Sorted(maps.Keys(eventTypes))

// eventType is the node of a type of events, which is named by its browse name or by its id.
func eventType(name string) (opcua.NodeRef, bool) {
	if number, ok := eventTypes[name]; ok {
		return opcua.NodeRef{Kind: 'i', Identifier: number}, true
	}
	ref, err := opcua.ParseNodeRef(name)
	return ref, err == nil
}

// An EventField is one field of the events that are published.
type EventField struct {
	Name  string // of the member in JSON
	Field opcua.EventField
}

// Names of fields that have a meaning here.
const (
	FieldSourceNode = "SourceNode"
	FieldTime       = "Time"
)

// baseFields are those of every event (OPC 10000-5, 6.4.2), and of conditions and alarms (OPC 10000-9, 5.5 to 5.8).
var baseFields = []struct{ in, path string }{
	{"BaseEventType", "EventId"}, {"BaseEventType", "EventType"}, {"BaseEventType", FieldSourceNode}, {"BaseEventType", "SourceName"},
	{"BaseEventType", FieldTime}, {"BaseEventType", "ReceiveTime"}, {"BaseEventType", "Message"}, {"BaseEventType", "Severity"},
	{"ConditionType", "ConditionName"}, {"ConditionType", "BranchId"}, {"ConditionType", "Retain"},
	{"ConditionType", "EnabledState/Id"}, {"ConditionType", "Quality"}, {"ConditionType", "Comment"},
	{"AcknowledgeableConditionType", "AckedState/Id"}, {"AcknowledgeableConditionType", "ConfirmedState/Id"},
	{"AlarmConditionType", "ActiveState/Id"}, {"AlarmConditionType", "SuppressedOrShelved"},
}

// conditionID is the field with the node of the condition, which has no path.
const conditionID = "ConditionId"

// maxFields bounds the fields that a user adds.
const maxFields = 64

// selectFields makes the fields of the events: those that every event, condition and alarm has, and those that are asked for.
func (r *reader) selectFields(e *Events) {
	for _, f := range baseFields {
		e.selected = append(e.selected, field(f.path, f.in, f.path))
	}
	e.selected = append(e.selected, EventField{conditionID, opcua.EventField{Type: standard("ConditionType")}})
	of := standard("BaseEventType")
	if len(e.refs) > 0 {
		of = e.refs[0]
	}
	if len(e.fields) > maxFields {
		r.err(e.at.member("fields"), "has more than %d", maxFields)
		return
	}
	names := r.unique("field")
	for _, f := range e.fields {
		if names(f); slices.ContainsFunc(e.selected, func(s EventField) bool { return s.Name == f.Value }) {
			continue
		}
		path, err := parsePath(f.Value, r.namespaces)
		if err != nil || path.stars > 0 || path.absolute || len(path.segments) == 0 {
			r.err(f.at, "%s is no field such as Severity or ActiveState/Id", quoted(f.Value))
			continue
		}
		selected := EventField{Field: opcua.EventField{Type: of}}
		var name []string
		for _, s := range path.segments {
			selected.Field.Path = append(selected.Field.Path, opcua.QualifiedName{Namespace: s.namespace, Name: s.name()})
			name = append(name, s.name())
		}
		selected.Name = strings.Join(name, "/")
		e.selected = append(e.selected, selected)
	}
}

func standard(name string) opcua.NodeRef {
	return opcua.NodeRef{Kind: 'i', Identifier: eventTypes[name]}
}

// field is one of the standard namespace.
func field(name, in, path string) EventField {
	f := EventField{Name: name, Field: opcua.EventField{Type: standard(in)}}
	for part := range strings.SplitSeq(path, "/") {
		f.Field.Path = append(f.Field.Path, opcua.QualifiedName{Name: part})
	}
	return f
}
