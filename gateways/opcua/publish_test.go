package opcua

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

// TestGroups has values of a channel made messages: those of nodes that are together by turns, others each by itself.
func TestGroups(t *testing.T) {
	d := &mapping.DevicePlan{Name: "d"}
	x := &mapping.ChannelPlan{Device: d, Name: "x", Together: true}
	a, b := &mapping.ValuePlan{Channel: x, Node: "a"}, &mapping.ValuePlan{Channel: x, Node: "b"}
	alone := &mapping.ValuePlan{Channel: &mapping.ChannelPlan{Device: d, Name: "y"}, Node: "alone"}
	var values []opcua.Value
	for _, key := range []any{a, alone, b, b, alone, a, "of nobody"} {
		values = append(values, opcua.Value{Key: key})
	}
	var got []string
	for _, g := range groups(values) {
		var names []string
		for _, key := range g.keys {
			names = append(names, key.Node)
		}
		got = append(got, g.channel.Name+" "+string(rune('0'+g.first))+" "+strings.Join(names, ","))
	}
	want := []string{"x 0 a,b", "y 1 alone", "x 3 b,a", "y 4 alone"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// TestGroupSaysTheNewestAndTheWorst looks at the attributes of an event of several values.
func TestGroupSaysTheNewestAndTheWorst(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	good := &opcua.Value{DataValue: opcua.DataValue{SourceTime: early}}
	bad := &opcua.Value{DataValue: opcua.DataValue{Status: badTimeout, ServerTime: late}}
	g := group{channel: &mapping.ChannelPlan{Together: true}, values: []*opcua.Value{bad, good}}
	if !g.time().Equal(late) || g.extensions()[ExtensionStatus] != "BadTimeout" {
		t.Errorf("%v, %v", g.time(), g.extensions())
	}
	if _, there := g.extensions()[ExtensionNode]; there {
		t.Error("several nodes have one id")
	}
}

// TestNodeIsLeftOut has nodes whose ids no attribute can hold.
func TestNodeIsLeftOut(t *testing.T) {
	for _, text := range []string{"a\x00b", strings.Repeat("x", 5000)} {
		x := map[string]string{}
		if addNode(x, opcua.NodeRef{Namespace: "urn:x", Kind: 's', Identifier: text}); len(x) > 0 {
			t.Errorf("extensions %v", x)
		}
	}
}

func TestTargetID(t *testing.T) {
	id := uuid.NewString()
	first, again, second := targetID(id, 1), targetID(id, 1), targetID(id, 2)
	if targetID(id, 0) != id || first == second || first != again {
		t.Errorf("the events of several devices have the ids %s, %s, %s", first, again, second)
	}
}

func TestBodies(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 34, 56, 789_000_000, time.UTC)
	v := opcua.DataValue{Status: 0x80000480 | badTimeout, SourceTime: at}
	want := `{"value":null,"type":"Null","status":"BadTimeout","overflow":true,"sourceTimestamp":"2026-01-31T12:34:56.789Z","unit":"°C"}`
	if got := string(appendValue(nil, &v, []byte(`,"unit":"°C"`))); got != want {
		t.Errorf("value %s", got)
	}
	if got := string(appendEvent(nil, []mapping.EventField{{Name: "Message"}}, nil)); got != "{}" {
		t.Errorf("event %s", got)
	}
	n := 3
	for _, c := range []struct {
		loss opcua.Loss
		want string
	}{
		{opcua.Loss{Reason: "x"}, `{"server":"s","messages":null,"reason":"x"}`},
		{opcua.Loss{Messages: n, Since: at, Reason: "x"}, `{"server":"s","messages":3,"since":"2026-01-31T12:34:56.789Z","reason":"x"}`},
	} {
		if got := string(newLossBody("s", c.loss)); got != c.want {
			t.Errorf("loss %s", got)
		}
	}
}

func TestResponses(t *testing.T) {
	const most = 200
	begin := `{"command":"call:x","status":"Good","code":0`
	for _, c := range []struct {
		inputs  []string
		outputs []json.RawMessage
		want    string
	}{
		{nil, nil, begin + "}"},
		{[]string{"Good", "BadTypeMismatch"}, nil, begin + `,"inputs":["Good","BadTypeMismatch"]}`},
		{nil, []json.RawMessage{[]byte("1")}, begin + `,"outputs":[1]}`},
		{nil, []json.RawMessage{[]byte("{")}, begin + `,"reason":"the outputs cannot be shown"}`},
		{nil, []json.RawMessage{[]byte(`"` + strings.Repeat("x", most) + `"`)},
			begin + `,"reason":"inputs and outputs are left out: with them the response has more than 200 bytes"}`},
		{slices.Repeat([]string{"BadOutOfRange"}, most), nil,
			begin + `,"reason":"inputs and outputs are left out: with them the response has more than 200 bytes"}`},
	} {
		r := response{Command: "call:x", Status: "Good", Inputs: c.inputs, Outputs: c.outputs}
		if got := string(r.body(most)); got != c.want {
			t.Errorf("response %s, want %s", got, c.want)
		}
	}
}
