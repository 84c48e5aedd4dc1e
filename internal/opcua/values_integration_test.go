//go:build integration

package opcua_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// find is a child of a node with a name.
func find(t *testing.T, n *opcua.TreeNode, name string) *opcua.TreeNode {
	t.Helper()
	for _, child := range n.Children {
		if child.BrowseName.Name == name {
			return child
		}
	}
	t.Fatalf("%s has no child %s", n.BrowseName, name)
	return nil
}

// browse walks through everything.
func browse(t *testing.T, conn *opcua.Connection) *opcua.TreeNode {
	t.Helper()
	tree, err := conn.Browse(t.Context(), opcua.ObjectsFolder, opcua.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	if tree.Truncated != "" {
		t.Fatal(tree.Truncated)
	}
	return tree.Root
}

// What is read of every built-in type, as scalar, array and matrix, can be written again in either form of JSON, and is then the
// same. Where any type may stand, only the reversible form says which it is.
func TestEveryTypeThereAndBack(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		conn := dial(t, config(t, server.URL()))
		root := browse(t, conn)
		types := find(t, root, "Types").Children
		if len(types) < 3*19 {
			t.Fatalf("only %d variables", len(types))
		}
		for _, v := range types {
			forms := []opcua.Form{opcua.Plain, opcua.Reversible}
			if strings.HasPrefix(v.DataType, "DataValue") || strings.HasPrefix(v.DataType, "BaseDataType") {
				forms = forms[1:]
			}
			t.Run(v.BrowseName.Name, func(t *testing.T) { thereAndBack(t, conn, v.Ref, forms...) })
		}
		structured := map[opcuaserver.Kind]string{opcuaserver.NodeOPCUA: "Range", opcuaserver.Asyncua: "Job"}[kind]
		t.Run(structured, func(t *testing.T) { thereAndBack(t, conn, node(structured), opcua.Plain, opcua.Reversible) })
	})
}

// A node that may have any type keeps the one that it has.
func TestAnyType(t *testing.T) {
	server := sharedServer(t, opcuaserver.Asyncua)
	conn := dial(t, config(t, server.URL()))
	any := node("Types.Variant")
	if status, err := conn.Write(t.Context(), any, []byte("6")); err != nil || !status.Good() {
		t.Fatalf("%v, %v", status, err)
	}
	if v := read(t, conn, any); v.Type() != "Int16" || string(v.AppendJSON(nil, opcua.Plain)) != "6" {
		t.Errorf("%s of type %s", v.AppendJSON(nil, opcua.Plain), v.Type())
	}
}

func thereAndBack(t *testing.T, conn *opcua.Connection, n opcua.NodeRef, forms ...opcua.Form) {
	t.Helper()
	before := read(t, conn, n)
	for _, form := range forms {
		text := before.AppendJSON(nil, form)
		if !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
		status, err := conn.Write(t.Context(), n, text)
		if err != nil || !status.Good() {
			t.Fatalf("writing %s: %v, %v", text, status, err)
		}
		after := read(t, conn, n)
		if got := after.AppendJSON(nil, form); string(got) != string(text) {
			t.Errorf("%s became %s", text, got)
		}
		if after.Type() != before.Type() && form == opcua.Reversible {
			t.Errorf("a %s became a %s", before.Type(), after.Type())
		}
	}
}

func read(t *testing.T, conn *opcua.Connection, n opcua.NodeRef) opcua.Variant {
	t.Helper()
	values, err := conn.Read(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if !values[0].Status.Good() {
		t.Fatalf("%s has status %s", n, values[0].Status)
	}
	return values[0].Value
}

// A structure of the server's own is an object with its fields, by the definition that the server tells.
func TestStructure(t *testing.T) {
	server := sharedServer(t, opcuaserver.Asyncua)
	conn := dial(t, config(t, server.URL()))
	const want = `{"Id":"9007199254740993","Tags":["a","b"],"Home":{"X":1.5,"Name":"home"},"Path":[{"X":1},{"X":2,"Name":"end"}]}`
	if status, err := conn.Write(t.Context(), node("Job"), []byte(want)); err != nil || !status.Good() {
		t.Fatalf("writing: %v, %v", status, err)
	}
	job := read(t, conn, node("Job"))
	if got := job.AppendJSON(nil, opcua.Plain); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if job.Type() != "Job" {
		t.Errorf("type %s", job.Type())
	}
	const other = `{"Id":"1","Tags":[],"Home":{"X":-1},"Path":[]}`
	if status, err := conn.Write(t.Context(), node("Job"), []byte(other)); err != nil || !status.Good() {
		t.Fatalf("writing: %v, %v", status, err)
	}
	if got := read(t, conn, node("Job")).AppendJSON(nil, opcua.Plain); string(got) != other {
		t.Errorf("got %s", got)
	}
	for value, complaint := range map[string]string{
		`{"Id":"1","Tags":[],"Path":[]}`:                            ".Home: is missing",
		`{"Id":"1","Tags":[],"Home":{"X":1},"Path":[{"X":"a"}]}`:    ".Path[0].X: is not a number",
		`{"Id":"1","Tags":[],"Home":{"X":1},"Path":[],"Colour":1}`:  ".Colour: is no field of Job",
		`{"Id":"1","Tags":[],"Home":{"X":1,"Name":null},"Path":[]}`: ".Home.Name: is null",
		`{"Id":1.5,"Tags":[],"Home":{"X":1},"Path":[]}`:             ".Id: is not an integer",
		`[]`: "is an array",
		`{"Id":"1","Tags":[[]],"Home":{"X":1},"Path":[]}`: ".Tags",
	} {
		_, err := conn.Write(t.Context(), node("Job"), []byte(value))
		var wrong *opcua.ValueError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Error(), complaint) {
			t.Errorf("%s: %v, not %q", value, err, complaint)
		}
	}
}

// The range and the unit of a value are structures of the standard.
func TestUnits(t *testing.T) {
	server := sharedServer(t, opcuaserver.NodeOPCUA)
	conn := dial(t, config(t, server.URL()))
	property := func(name string) opcua.Variant {
		ref, err := conn.Resolve(t.Context(), node("Temperature"), []opcua.QualifiedName{{Name: name}})
		if err != nil || ref.IsZero() {
			t.Fatalf("%s: %v, %v", name, ref, err)
		}
		return read(t, conn, ref)
	}
	if high, ok := property("EURange").Field("High").Float(); !ok || high != 200 {
		t.Errorf("High is %v", high)
	}
	if unit, ok := property("EngineeringUnits").Field("DisplayName").Text(); !ok || unit != "°C" {
		t.Errorf("the unit is %q", unit)
	}
	if ref, err := conn.Resolve(t.Context(), node("Temperature"), []opcua.QualifiedName{{Name: "Nothing"}}); err != nil || !ref.IsZero() {
		t.Errorf("what is not there: %v, %v", ref, err)
	}
}

func TestCall(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		conn := dial(t, config(t, server.URL()))
		arguments := func(all ...string) (raw []json.RawMessage) {
			for _, a := range all {
				raw = append(raw, json.RawMessage(a))
			}
			return raw
		}
		result, err := conn.Call(t.Context(), node("Machine"), node("Machine.Add"), arguments("2", "40"))
		if err != nil || !result.Status.Good() || len(result.Outputs) != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
		if got := result.Outputs[0].AppendJSON(nil, opcua.Plain); string(got) != "42" {
			t.Errorf("2 + 40 is %s", got)
		}
		for _, wrong := range [][]json.RawMessage{arguments("1"), arguments("1", `"x"`), arguments("1", "2", "3"), arguments("1", "99999999999")} {
			var e *opcua.ValueError
			if _, err := conn.Call(t.Context(), node("Machine"), node("Machine.Add"), wrong); !errors.As(err, &e) {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		if result, err := conn.Call(t.Context(), node("Machine"), node("Line1"), nil); err != nil || !result.Status.Bad() {
			t.Errorf("what is no method: %+v, %v", result, err)
		}
	})
}

// A server says why it does not do something.
func TestRefusals(t *testing.T) {
	eachKind(t, func(t *testing.T, kind opcuaserver.Kind) {
		server := sharedServer(t, kind)
		c := config(t, server.URL())
		conn := dial(t, c)
		values, err := conn.Read(t.Context(), node("Nothing"), node("Press1.Counter"))
		if err != nil || values[0].Status.String() != "BadNodeIdUnknown" || !values[1].Status.Good() {
			t.Errorf("%v, %v", values, err)
		}
		if status, err := conn.Write(t.Context(), node("Press1.Counter"), []byte("1")); err != nil || !status.Bad() {
			t.Errorf("writing what cannot be written: %v, %v", status, err)
		}
		if status, err := conn.Write(t.Context(), node("Nothing"), []byte("1")); err != nil || status.String() != "BadNodeIdUnknown" {
			t.Errorf("writing what is not there: %v, %v", status, err)
		}
		r := &recorder{}
		elsewhere := opcua.NodeRef{Namespace: "urn:nowhere", Kind: 's', Identifier: "x"}
		run(t, c, []opcua.Item{counter("Press1.Counter"), counter("Nothing"), {Node: elsewhere}}, r)
		eventually(t, "values", func() bool { return look(r, countOf) > 3 })
		refused := look(r, func(r *recorder) []opcua.Refusal { return r.refused })
		if len(refused) != 2 || refused[0].Status.String() != "BadNodeIdUnknown" || refused[1].Status.String() != "BadNodeIdUnknown" {
			t.Errorf("refused %+v", refused)
		}
	})
}
