//go:build integration

package opcua_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// The nodes of the standard that events have to do with.
var (
	serverObject   = opcua.NodeRef{Kind: 'i', Identifier: "2253"}
	baseEventType  = opcua.NodeRef{Kind: 'i', Identifier: "2041"}
	conditionType  = opcua.NodeRef{Kind: 'i', Identifier: "2782"}
	limitAlarmType = opcua.NodeRef{Kind: 'i', Identifier: "9341"} // ExclusiveLimitAlarmType
	alarmType      = opcua.NodeRef{Kind: 'i', Identifier: "2915"} // AlarmConditionType
)

// field is a field of an event by its names.
func field(of opcua.NodeRef, path ...string) opcua.EventField {
	f := opcua.EventField{Type: of}
	for _, name := range path {
		f.Path = append(f.Path, opcua.QualifiedName{Name: name})
	}
	return f
}

// emit has the server raise an event.
func emit(t *testing.T, conn *opcua.Connection, message string, severity int) {
	t.Helper()
	text, _ := json.Marshal(message)
	result, err := conn.Call(t.Context(), node("Machine"), node("Machine.Emit"), []json.RawMessage{text, json.RawMessage(fmt.Sprint(severity))})
	if err != nil || !result.Status.Good() {
		t.Fatalf("emitting an event: %+v, %v", result, err)
	}
}

// Events come with the fields that were asked for, if they are severe enough.
func TestEvents(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		c := config(t, server.URL())
		source := map[opcuaserver.Kind]opcua.NodeRef{opcuaserver.NodeOPCUA: node("Machine"), opcuaserver.Asyncua: serverObject}[kind]
		item := opcua.Item{Node: source, Queue: 1000, Key: "events", Event: &opcua.EventFilter{MinSeverity: 500,
			Fields: []opcua.EventField{field(baseEventType, "Message"), field(baseEventType, "Severity"), field(baseEventType, "EventId")}}}
		r := &recorder{}
		run(t, c, []opcua.Item{item}, r)
		eventually(t, "the connection", func() bool { return look(r, connections) == 1 })
		conn := dial(t, c)
		for i := range 20 {
			emit(t, conn, fmt.Sprint("event ", i), 100+100*(i%10))
		}
		want := 12 // severities from 500 to 1000 come twice
		eventually(t, "the events", func() bool { return look(r, func(r *recorder) int { return len(r.events) }) >= want })
		for _, e := range look(r, func(r *recorder) []opcua.Event { return r.events }) {
			severity, _ := e.Fields[1].Float()
			message, ok := e.Fields[0].Text()
			id, isBytes := e.Fields[2].Bytes()
			if severity < 500 || !ok || message == "" || !isBytes || len(id) == 0 || e.Key != "events" || e.Node != source {
				t.Errorf("event %q of severity %v with id %x", message, severity, id)
			}
		}
	})
}

// An alarm tells when its condition comes and goes.
func TestAlarm(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	c := config(t, server.URL())
	item := opcua.Item{Node: serverObject, Queue: 1000, Event: &opcua.EventFilter{Types: []opcua.NodeRef{limitAlarmType},
		Fields: []opcua.EventField{field(conditionType, "ConditionName"), field(alarmType, "ActiveState", "Id"), field(conditionType), field(baseEventType, "NoSuchField")}}}
	r := &recorder{}
	run(t, c, []opcua.Item{item}, r)
	eventually(t, "the connection", func() bool { return look(r, connections) == 1 })
	conn := dial(t, c)
	states := func() (all []bool) {
		for _, e := range look(r, func(r *recorder) []opcua.Event { return r.events }) {
			active, _ := e.Fields[1].Bool()
			all = append(all, active)
		}
		return all
	}
	for i, level := range []string{"150", "50"} {
		if status, err := conn.Write(t.Context(), node("Boiler.Level"), []byte(level)); err != nil || !status.Good() {
			t.Fatalf("writing the level: %v, %v", status, err)
		}
		eventually(t, "the alarm", func() bool {
			all := states()
			return len(all) > i && all[len(all)-1] == (i == 0)
		})
	}
	e := look(r, func(r *recorder) opcua.Event { return r.events[0] })
	if name, _ := e.Fields[0].Text(); name != "LevelAlarm" {
		t.Errorf("the alarm is %q", name)
	}
	if ref, ok := e.Fields[2].Node(); !ok || ref.IsZero() {
		t.Errorf("the condition is %v", ref)
	}
	if !e.Fields[3].IsNull() {
		t.Errorf("a field that is not there is %s", e.Fields[3].Type())
	}
}

// Items can change without a new connection: what stays goes on without a gap.
func TestRefresh(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		items := make(chan []opcua.Item, 1)
		items <- []opcua.Item{counter("Press1.Counter")}
		r := &recorder{}
		s, err := opcua.NewServer(config(t, server.URL()), func(context.Context, *opcua.Connection) ([]opcua.Item, error) { return <-items, nil }, r,
			zaptest.NewLogger(t))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		eventually(t, "values of one", func() bool { return len(numbers(r, node("Press1.Counter"))) > 20 })
		items <- []opcua.Item{counter("Press2.Counter"), counter("Press1.Counter")}
		s.Refresh()
		eventually(t, "values of both", func() bool { return len(numbers(r, node("Press2.Counter"))) > 20 })
		items <- []opcua.Item{counter("Press2.Counter")}
		s.Refresh()
		eventually(t, "the items to be asked for", func() bool { return len(items) == 0 })
		before := len(numbers(r, node("Press2.Counter")))
		eventually(t, "values of the other", func() bool { return len(numbers(r, node("Press2.Counter"))) > before+50 })
		verify(t, r, "Press1.Counter", "Press2.Counter")
		if n := look(r, connections); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}
