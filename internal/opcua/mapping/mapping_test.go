package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/opcua"
)

const machines = "http://example.com/machines"

// A hall is an address space: two lines with presses, each with sensors, a motor with methods, and a list of alarms.
type hall map[opcua.NodeRef]*opcua.TreeNode

func (h hall) Browse(_ context.Context, ref opcua.NodeRef) (*opcua.TreeNode, error) {
	return h[ref], nil
}

// add adds a node below another one. Its id is its path.
func (h hall) add(parent *opcua.TreeNode, namespace, name string, class opcua.NodeClass, dataType string) *opcua.TreeNode {
	path := name
	if parent != nil && parent.Ref.Kind == 's' {
		path = parent.Ref.Identifier + "/" + name
	}
	n := &opcua.TreeNode{
		Ref: opcua.NodeRef{Namespace: machines, Kind: 's', Identifier: path}, BrowseName: opcua.QualifiedName{Namespace: namespace, Name: name},
		Class: class, DataType: dataType,
	}
	h[n.Ref] = n
	if parent != nil {
		parent.Children = append(parent.Children, n)
	}
	return n
}

func newHall() hall {
	h := hall{}
	top := &opcua.TreeNode{Ref: root, BrowseName: opcua.QualifiedName{Name: "Root"}, Class: opcua.ClassObject}
	h[root] = top
	objects := h.add(top, "", "Objects", opcua.ClassObject, "")
	delete(h, objects.Ref)
	objects.Ref = opcua.ObjectsFolder
	h[objects.Ref] = objects
	h.add(objects, "", "Server", opcua.ClassObject, "")
	for _, line := range []string{"Line1", "Line2"} {
		l := h.add(objects, machines, line, opcua.ClassObject, "")
		for _, press := range []string{"PressA", "PressB"} {
			h.press(h.add(l, machines, press, opcua.ClassObject, ""))
		}
	}
	return h
}

func (h hall) press(p *opcua.TreeNode) {
	sensors := h.add(p, machines, "Sensors", opcua.ClassObject, "")
	temperature := h.add(sensors, machines, "Temperature", opcua.ClassVariable, "Double")
	h.add(temperature, "", "EURange", opcua.ClassVariable, "Range")
	h.add(temperature, "", "EngineeringUnits", opcua.ClassVariable, "EUInformation")
	h.add(sensors, machines, "Pressure", opcua.ClassVariable, "Float")
	h.add(p, machines, "Model", opcua.ClassVariable, "String")
	h.add(p, machines, "Setpoint", opcua.ClassVariable, "Double")
	motor := h.add(p, machines, "Motor", opcua.ClassObject, "")
	h.add(motor, machines, "Start", opcua.ClassMethod, "")
	h.add(motor, "", "Start2", opcua.ClassMethod, "").BrowseName.Name = "Start"
}

// file is a mapping with the devices of one server.
func file(devices string) string {
	return "namespaces: {m: '" + machines + "'}\nservers:\n- name: hall\n  url: opc.tcp://localhost:4840\n  devices:\n" + indent(devices)
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// findings are those of the file and of the server, a line each.
func findings(t *testing.T, text string) (lines []string, p *Plan) {
	t.Helper()
	f, found := Parse("m.yaml", []byte(text))
	if f != nil {
		plan, more, err := Resolve(t.Context(), "m.yaml", f.Servers[0], newHall())
		if err != nil {
			t.Fatal(err)
		}
		p, found = plan, append(found, more...)
	}
	for _, finding := range found {
		lines = append(lines, finding.String())
	}
	return lines, p
}

const whole = `
- path: Objects/Line*/Press*
  name: "{1}{2}"
  channels:
  - name: sensors/{node}
    sampling: 100ms
    nodes:
    - Sensors/*
    - {path: Model, name: model, type: String}
  - name: state
    together: true
    publishing: 250ms
    queue: 7
    discard: newest
    nodes:
    - {path: m:Setpoint, deadband: {absolute: 0.5}, units: true}
    - {path: Sensors/Temperature, name: heat, deadband: {percent: 1}, units: true}
  events:
  - {channel: alarms, notifier: /Objects/Server, from: [., Sensors/*], types: [AlarmConditionType], severity: 300, fields: [m:Cause]}
  writes: [Setpoint, {path: Sensors/Temperature, name: heat}]
  calls: [Motor/m:Start, {path: "Motor/Star*", name: "go{1}"}]
`

func TestResolve(t *testing.T) {
	lines, p := findings(t, file(whole))
	want := []string{
		"m.yaml:20: error: servers[0].devices[0].channels[1].nodes[0].path: device 1A: Setpoint has neither EURange nor EngineeringUnits; 3 more devices have the like",
		`m.yaml:25: error: servers[0].devices[0].calls[1].path: device 1A: two nodes on one name: "call:got" is another node already; 3 more devices have the like`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	var got []string
	for _, d := range p.Devices {
		got = append(got, d.Name)
	}
	if diff := cmp.Diff([]string{"1A", "1B", "2A", "2B"}, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	got = nil
	for _, item := range p.Items {
		switch key := item.Key.(type) {
		case *ValuePlan:
			if key.Channel.Device.Name == "2B" {
				got = append(got, key.Channel.Name+" "+key.Node+" "+item.Node.Identifier+" "+item.Sampling.String()+" "+item.Publishing.String()+
					" "+key.Range.Identifier+" "+key.Units.Identifier)
			}
		case *EventPlan:
			got = append(got, item.Node.Identifier, key.Fields[len(key.Fields)-1].Name)
			for _, target := range key.Targets {
				got = append(got, target.Device.Name+" "+target.Channel)
			}
			if target := key.Targets[3]; !target.Takes(opcua.NodeRef{Namespace: machines, Kind: 's', Identifier: "Line2/PressB/Sensors/Pressure"}) ||
				target.Takes(opcua.NodeRef{Namespace: machines, Kind: 's', Identifier: "Line2/PressA"}) {
				t.Errorf("sources %v", target.From)
			}
		}
	}
	want = []string{
		"Server", "Cause", "1A alarms", "1B alarms", "2A alarms", "2B alarms",
		"sensors/Temperature Temperature Line2/PressB/Sensors/Temperature 100ms 1s  ",
		"sensors/Pressure Pressure Line2/PressB/Sensors/Pressure 100ms 1s  ",
		"sensors/model model Line2/PressB/Model 100ms 1s  ",
		"state Setpoint Line2/PressB/Setpoint 250ms 250ms  ",
		"state heat Line2/PressB/Sensors/Temperature 250ms 250ms Line2/PressB/Sensors/Temperature/EURange Line2/PressB/Sensors/Temperature/EngineeringUnits",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	last := p.Devices[3]
	if diff := cmp.Diff([]string{"Setpoint", "heat"}, keys(last.Writes)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Motor/Start", "got"}, keys(last.Calls)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if m := last.Calls["Motor/Start"]; m.Object.Identifier != "Line2/PressB/Motor" || m.Method.Identifier != "Line2/PressB/Motor/Start" {
		t.Errorf("method %v", m)
	}
}

func keys[T any](m map[string]T) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestFindings holds mappings of one channel against what is said of them.
func TestFindings(t *testing.T) {
	channel := func(nodes string) string {
		return file("- path: Objects/Line1/PressA\n  channels:\n  - name: c/{node}\n    nodes:\n    " + strings.ReplaceAll(nodes, "\n", "\n    "))
	}
	f := func(text string, want ...string) {
		t.Helper()
		lines, _ := findings(t, text)
		for i := range lines {
			lines[i] = strings.TrimPrefix(lines[i], "m.yaml:")
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s\nfindings (-want +got):\n%s", text, diff)
		}
	}
	const at, node = "6: error: servers[0].devices[0]", "10: error: servers[0].devices[0].channels[0].nodes[0]"
	f(channel("- Model"))
	f(channel("- Modle"), node+": device PressA: Objects/Line1/PressA has no node Modle: did you mean Model?")
	f(channel("- Sensors/Temprature"), node+": device PressA: Objects/Line1/PressA/Sensors has no node Temprature: did you mean Temperature?")
	f(channel("- Sensors/x"), node+": device PressA: Objects/Line1/PressA/Sensors has no node x; there are Pressure, Temperature")
	f(channel("- Motor"), node+": device PressA: Motor has no value: it is of class Object")
	f(channel("- {path: Model, type: Double}"), node+".path: device PressA: Model is of type String, not Double")
	f(channel("- {path: Model, type: Duble}"), node+`.type: "Duble" is no built-in type of OPC UA: did you mean Double?; an array is written with [] behind it`)
	f(channel("- {path: Model, deadband: {absolute: 1}}"), node+".path: device PressA: Model is of type String, and only numbers have a deadband")
	f(channel("- {path: Sensors/Pressure, deadband: {percent: 1}}"), node+".path: device PressA: Sensors/Pressure has no EURange, of which a deadband could be a percentage")
	f(channel("- {path: Model, deadband: {percent: 101}}"), node+`.deadband.percent: "101" is no number between 0 and 100`)
	f(channel("- Model\n- Model"), `11: error: servers[0].devices[0].channels[0].nodes[1]: a second node "Model"; the first is in line 10`)
	f(channel("- Sensors/*\n- {path: Model, name: Pressure}"),
		`11: error: servers[0].devices[0].channels[0].nodes[1].path: device PressA: two nodes on one name: "Pressure" is in the channel already`)
	f(channel("- {path: Model, nmae: x}"), node+`: "nmae" is not known here: did you mean name?`)
	f(channel("- {path: Model, name: x, name: y}"), node+".name: stands twice")
	f(channel("- q:Model"), node+`: "q:Model": "q" is no short name of a namespace; there is m (a colon that belongs to a name is written &:)`)
	f(channel("- {id: i=2258}"), node+".id: a node that is named by its id needs a name")
	f(channel("- {path: Model, id: i=2258, name: x}"), node+": has both path and id")
	f(channel("- {name: x}"), node+": path or id is missing")
	f(channel("- {path: 'Mod*', name: x}"), node+`.name: all that "Mod*" matches would have this one name: write {name}, or {1} for what the first * stands for`)
	f(channel("- {path: Model, sampling: 1ms}"),
		"10: warning: servers[0].devices[0].channels[0].nodes[0]: up to 1000 values come in the 1s between two sendings, but the queue holds 100: others are lost")
	f(channel("- {path: Model, sampling: 0s}"))
	f(channel("- {path: Model, sampling: 10}"), node+`.sampling: "10" has no unit: write 10ms, or 10s`)

	f(file("- path: Objects/Line1/Press*\n  name: x\n  writes: [Setpoint]"),
		`7: error: servers[0].devices[0].name: all that "Objects/Line1/Press*" matches would be this one device: write {name}, or {1} for what the first * stands for`)
	f(file("- path: Objects/Line*/Press*\n  name: '{2}'\n  writes: [Setpoint]"),
		at+`.path: Objects/Line1/PressA and Objects/Line2/PressA are both named "A"`,
		at+`.path: Objects/Line1/PressB and Objects/Line2/PressB are both named "B"`)
	f(file("- path: Objects/Line9/Press*\n  writes: [Setpoint]"), at+".path: Objects has no node Line9: did you mean Line1?")
	f(file("- path: Objects/Line1/PressA\n  writes: [Motor, Setpoint]\n  calls: [Setpoint]"),
		`7: error: servers[0].devices[0].writes[0]: device PressA: Motor is of class Object, not Variable`,
		`8: error: servers[0].devices[0].calls[0]: device PressA: Setpoint is of class Variable, not Method`)
	f(file("- path: Objects/Line1/PressA"), at+": has neither channels nor events, writes or calls")
	f(file("- path: Objects/Line1/PressA\n  channels: [{name: c, nodes: [Model, Setpoint]}]"),
		`7: error: servers[0].devices[0].channels[0].name: two nodes on one name: write {node} in it, such as "c/{node}", or together: true`)
	f(file("- path: Objects/Line1/PressA\n  events: [{channel: a, types: [AlarmCondition]}]"),
		`7: error: servers[0].devices[0].events[0].types[0]: "AlarmCondition" is neither an event type of OPC UA nor a node id: did you mean AlarmConditionType?`)
	f(file("- path: Objects/Line1/PressA\n  events: [{channel: a, types: [Trouble]}]"),
		`7: error: servers[0].devices[0].events[0].types[0]: "Trouble" is neither an event type of OPC UA nor a node id; there are AcknowledgeableConditionType, AlarmConditionType, AuditActivateSessionEventType, AuditConditionAcknowledgeEventType, AuditConditionCommentEventType and 39 more`)
	f(file("- path: Objects/Line1/PressA\n  writes: [Setpoint, Setpoint]"),
		`7: error: servers[0].devices[0].writes[1]: a second write "Setpoint"; the first is in line 7`)
	f(file("- path: Objects/**\n  writes: [Setpoint]"),
		at+`.path: "Objects/**": ** does not stand for several levels: write a name for each, or * for any name`)
	f(file("- path: Line1/PressA\n  writes: [Setpoint]"),
		`6: warning: servers[0].devices[0].path: begins at the root, where servers have Objects, Types and Views, but not "Line1": write Objects/ before what is there`,
		at+".path: the root has no node Line1; there is Objects")
	f(file("- path: Object/Line1/PressA\n  writes: [Setpoint]"),
		`6: warning: servers[0].devices[0].path: begins at the root, where servers have Objects, Types and Views, but not "Object": did you mean Objects?`,
		at+".path: the root has no node Object: did you mean Objects?")
	f(channel("- {path: Model, type: [String]}"), node+".type: is a list, but must be a text")
	f(channel("- {path: Model, name: {x}}"), node+".name: is a mapping, but must be a text: if it begins with { it needs quotes")
	f(channel("- {id: 'ns=2;s=x', name: y}"),
		node+`.id: node "ns=2;s=x": name the namespace by its URI (nsu=URI;…), since a server may number it differently after a restart`)
	f(channel("- {path: Model, queue: -1}"), node+`.queue: "-1" is no whole number between 1 and 10000`)
	f(channel("- {path: Model, sampling: -1s}"), node+`.sampling: "-1s" does not lie between 0s and 1h`)
}

// TestFile holds whole files against what is said of them.
func TestFile(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, found := Parse("m", []byte(text))
		var lines []string
		for _, finding := range found {
			lines = append(lines, finding.String())
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s\nfindings (-want +got):\n%s", text, diff)
		}
	}
	const devices = "devices: [{path: Objects/x, writes: [y]}]"
	f("", "m: error: the file is empty")
	f("servers: [", "m:1: error: is no YAML: did not find expected node content")
	f("x: &a 1\nservers: *a", "m:1: error: aliases (* and &) are not read: write it out, or use a pattern; a text that begins with one of them needs quotes")
	f("servers: []\n---\nservers: []", "m:2: error: the file holds a second document, or something that is none")
	f("[]", "m:1: error: is a list, but must be a mapping with members such as namespaces, servers")
	f("servers: [{name: a, url: 'opc.tcp://h', " + devices + "}]")
	f("servers: [{url: 'http://h', "+devices+"}]", "m:1: error: servers[0].name: is missing", `m:1: error: servers[0].url: "http://h" does not begin with opc.tcp://`)
	f("servers:\n- {name: a, url: 'opc.tcp://h', "+devices+"}\n- {name: a, url: 'opc.tcp://h', "+devices+"}",
		`m:3: error: servers[1].name: a second server "a"; the first is in line 2`)
	f("servers: [{name: a, url: 'opc.tcp://h', security: {mode: Sign}, "+devices+"}]", "m:1: error: servers[0].security: mode Sign needs a policy, such as Basic256Sha256")
	f("servers: [{name: a, url: 'opc.tcp://h', security: {policy: Basic256}, "+devices+"}]",
		`m:1: error: servers[0].security.policy: "Basic256" is not known: did you mean Basic256Sha256?`)
	f("servers: [{name: a, url: 'opc.tcp://h', security: {policy: RSA, mode: Sign}, identity: {user: u, passwordFile: p}, "+devices+"}]",
		`m:1: error: servers[0].security.policy: "RSA" is not known; there are None, Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss`)
	f("servers: [{name: a, url: 'opc.tcp://h', identity: {user: u}, "+devices+"}]", "m:1: error: servers[0].identity.passwordFile: is missing; there is a user")
	f("servers: [{name: a, url: 'opc.tcp://h', identity: {user: u, password: p}, "+devices+"}]",
		`m:1: error: servers[0].identity: "password" is not known here: did you mean passwordFile?`)
	f("servers: [{name: a, url: 'opc.tcp://h', identity: {keyFile: u}, "+devices+"}]",
		"m:1: error: servers[0].identity.certificateFile: is missing; there is a keyFile")
	f("server: []", `m:1: error: "server" is not known here: did you mean servers?`)
	f("servers: [{nmae: a, url: '127.0.0.1:4840', "+devices+"}]", `m:1: error: servers[0]: "nmae" is not known here: did you mean name?`,
		`m:1: error: servers[0].url: "127.0.0.1:4840" does not begin with opc.tcp://`)
	f("servers: [{name: a, url: 'opc.tcp://h:99999', "+devices+"}]", `m:1: error: servers[0].url: "opc.tcp://h:99999" has no port between 1 and 65535`)
	f("servers:\n- <<: {name: a}\n  name: a\n  url: opc.tcp://h\n  "+devices, "m:2: error: servers[0]: << is not read: write out what it stands for")
	f("# nothing", "m: error: the file is empty")
	f("~", "m:1: error: is empty, but must be a mapping with members such as namespaces, servers")
	f("\ufeffservers:\r\n- {name: a, url: 'opc.tcp://h', " + devices + "}\r\n")
	f(`{"servers": [{"name": "a", "url": "opc.tcp://h", "devices": [{"path": "Objects/x", "writes": ["y"]}]}]}`)
	f("servers: [{name: a, url: 'opc.tcp://h', identity: {user: u, passwordFile: p}, "+devices+"}]",
		"m:1: warning: servers[0].identity: what is read and written goes in the clear, and anybody can pretend to be the server: give the server a security policy")
	f(strings.Repeat(" ", MaxFile+1), "m: error: is larger than 1048576 bytes")
}

// TestSyntax has what is no YAML told with the line in which it is.
func TestSyntax(t *testing.T) {
	const quotes = " (a text that begins with *, &, {, %, @ or a backquote needs quotes)"
	for wrong, want := range map[string]string{
		"\tqueue: 1":          "found a tab character that violates indentation",
		"   queue: 1":         "mapping values are not allowed in this context",
		"  path: *":           "did not find expected alphabetic or numeric character" + quotes,
		"  path: {1}-{2}":     "did not find expected key" + quotes,
		"  path: [a":          "did not find expected ',' or ']'",
		"  path: \"a":         "found unexpected end of stream",
		"  path: \xd6l":       "invalid trailing UTF-8 octet",
		"  path: a: b":        "mapping values are not allowed in this context",
		"  path: \x00":        "control characters are not allowed",
		"  path: @a":          "found character that cannot start any token" + quotes,
		"  path: a\n    b: c": "mapping values are not allowed in this context",
	} {
		_, found := Parse("m", []byte("servers:\n- name: a\n  url: opc.tcp://h\n  queue: 1\n"+wrong+"\n  sampling: 1s\n  publishing: 1s\n"))
		line := 5 + strings.Count(wrong, "\n")
		if text := fmt.Sprintf("m:%d: error: is no YAML: %s", line, want); len(found) != 1 || found[0].String() != text {
			t.Errorf("%q: %v, want %s", wrong, found, text)
		}
	}
}

func TestPath(t *testing.T) {
	f := func(pattern, name, want string) {
		t.Helper()
		p, err := parsePath(pattern, map[string]string{"m": machines})
		if err != nil || len(p.segments) != 1 {
			t.Fatalf("%s: %v, %v", pattern, p, err)
		}
		stars, ok := p.segments[0].match(opcua.QualifiedName{Namespace: machines, Name: name})
		got := strings.Join(stars, "|")
		if !ok {
			got = "no"
		}
		if got != want {
			t.Errorf("%s and %s: %s, want %s", pattern, name, got, want)
		}
	}
	f("Line*", "Line12", "12")
	f("Line*", "Line", "")
	f("Line*", "line1", "no")
	f("*", "x", "x")
	f("a*b*c", "a1b2b3c", "1|2b3")
	f("a*a", "a", "no")
	f("m:a", "a", "")
	f("a&*b", "a*b", "")
	f("a&/b", "a/b", "")
	f("m:a:b", "a:b", "")
	f("x&:y*", "x:yz", "z")
	for _, bad := range []string{"", "a//b", "a/", "x:a", "a&", "a\x00", strings.Repeat("a/", 40) + "a", strings.Repeat("*", 20)} {
		if p, err := parsePath(bad, nil); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}

func TestSpaceFails(t *testing.T) {
	f, _ := Parse("m", []byte(file("- {path: Objects/Line1, writes: [x]}")))
	want := errors.New("gone")
	if _, _, err := Resolve(t.Context(), "m", f.Servers[0], failing{want}); !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
}

// A server that has ever more nodes, whose names are long, is left before they fill the memory.
func TestEndlessSpace(t *testing.T) {
	f, _ := Parse("m", []byte(file("- {path: Objects/*/*/*, writes: [x]}")))
	if _, _, err := Resolve(t.Context(), "m", f.Servers[0], &endless{name: strings.Repeat("x", 1<<20)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

// An endless space has ten nodes below each.
type endless struct {
	name string
	made int
}

func (e *endless) Browse(_ context.Context, ref opcua.NodeRef) (*opcua.TreeNode, error) {
	n := &opcua.TreeNode{Ref: ref}
	for range 10 {
		e.made++
		child := &opcua.TreeNode{Ref: opcua.NodeRef{Kind: 'i', Identifier: strconv.Itoa(1000 + e.made)}, DisplayName: e.name,
			BrowseName: opcua.QualifiedName{Name: strconv.Itoa(e.made)}, Class: opcua.ClassObject}
		if e.made == 1 {
			child.BrowseName.Name = "Objects"
		}
		n.Children = append(n.Children, child)
	}
	return n, nil
}

type failing struct{ err error }

func (f failing) Browse(context.Context, opcua.NodeRef) (*opcua.TreeNode, error) { return nil, f.err }

func FuzzParse(f *testing.F) {
	f.Add([]byte(file(whole)))
	f.Add([]byte("servers: [{name: a, url: 'opc.tcp://h', devices: [{id: i=1, name: d, channels: [{name: c, nodes: [{id: 'nsu=x;s=y', name: n}]}]}]}]"))
	space := newHall()
	f.Fuzz(func(t *testing.T, text []byte) {
		file, found := Parse("m", text)
		if (file == nil) != (found.Err() != nil) {
			t.Fatalf("file %v, findings %v", file, found)
		}
		if file == nil {
			return
		}
		for _, s := range file.Servers {
			p, _, err := Resolve(t.Context(), "m", s, space)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]bool{}
			for _, d := range p.Devices {
				if names[d.Name] {
					t.Errorf("two devices are named %q", d.Name)
				}
				names[d.Name] = true
			}
		}
	})
}
