//go:build integration

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// counters are presses with a counter, which is a device each.
const counters = `
  - path: Objects/Line1/Press*
    name: press-{1}
    channels:
    - {name: "{node}", publishing: 100ms, sampling: 0s, queue: 5000, nodes: [{path: Counter, name: counter}]}
`

// machine is a device with a method, and with values of some types in one event.
const machine = `
  - path: Objects/Machine
    name: machine
    calls: [Add, {path: t:Emit, name: emit}]
    writes: [{path: /Objects/Types/Int64, name: big}]
    channels:
    - name: types
      together: true
      publishing: 50ms
      sampling: 50ms
      nodes: [/Objects/t:Types/Int64, /Objects/t:Types/DoubleArray, /Objects/t:Types/ByteString, {path: /Objects/Types/String, name: text, type: String}]
`

// said are the events of the machine. The method that makes some fails in asyncua.
const said = `
    events: [{channel: said, severity: 300}]
`

// TestOPCUA has values, events, methods and writes of a server, and its end and its return, told and done by the process that is
// deployed.
func TestOPCUA(t *testing.T) {
	events := map[opcuaserver.Kind]string{opcuaserver.NodeOPCUA: said}
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			h := startHall(t, kind, opcuaserver.Options{Counters: 2}, counters+machine+events[kind], "press-1", "press-2", "machine")
			h.awaitConnections("press-2", `{"connected":true}`)
			testOPCUAValues(t, h)
			testOPCUACommands(t, h, events[kind] != "")

			h.server.Kill()
			h.awaitConnections("press-1", `{"connected":true}`, `{"connected":false}`)
			if err := h.server.Start(bounded(t)); err != nil {
				t.Fatal(err)
			}
			h.awaitConnections("press-1", `{"connected":true}`, `{"connected":false}`, `{"connected":true}`)
			h.await("machine", "opcua/loss", `"server":"hall"`)
		})
	}
}

// testOPCUAValues looks at the events that values become.
func testOPCUAValues(t *testing.T, h *hall) {
	t.Helper()
	r := h.await("press-1", "counter", `"value":`)
	at, err := time.Parse(time.RFC3339Nano, r.headers["ce_time"])
	if err != nil || !strings.Contains(r.payload, `"sourceTimestamp":"`+at.Format(time.RFC3339Nano)+`"`) {
		t.Errorf("time %q of %s", r.headers["ce_time"], r.payload)
	}
	for name, want := range map[string]string{
		"ce_type": "io.drogue.event.v1", "ce_sender": "site", "ce_deviceuid": h.deviceUID("press-1"), "content-type": "application/json",
		"ce_opcuanodeid": "nsu=urn:fairlead:test;s=Press1.Counter", "ce_opcuastatus": "Good",
	} {
		if got := r.headers[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var all map[string]valueBody
	if err := json.Unmarshal([]byte(h.await("machine", "types", "DoubleArray").payload), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, v := range all {
		got[name] = v.Type + " " + string(v.Value) + " " + v.Status
	}
	want := map[string]string{
		"Int64": `Int64 "-9223372036854775808" Good`, "DoubleArray": "Double[] [3.141592653589793,1e+300] Good",
		"ByteString": `ByteString "AAEC/w==" Good`, "text": `String "Grüße" Good`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// testOPCUACommands has an application write a node and call methods.
func testOPCUACommands(t *testing.T, h *hall, events bool) {
	t.Helper()
	c := startCommand(t)
	f := func(name, payload, want string) {
		t.Helper()
		answer := c.askWith(h.tenant, "machine", name, payload)
		if answer != "200 OK "+want {
			t.Errorf("%s with %s is answered with %s", name, payload, answer)
		}
	}
	f("call:Add", "[2, 3]", `{"command":"call:Add","status":"Good","code":0,"outputs":[5]}`)
	f("write:big", `"9007199254740993"`, `{"command":"write:big","status":"Good","code":0}`)
	h.await("machine", "types", `"9007199254740993"`)
	if events {
		f("call:emit", `["too hot", 700]`, `{"command":"call:emit","status":"Good","code":0}`)
		if r := h.await("machine", "said", "too hot"); !strings.Contains(r.payload, `"Severity":700`) {
			t.Errorf("the event is %s", r.payload)
		}
	}
	f("call:Emit", `[]`, `{"command":"call:Emit","status":"BadNotSupported","code":2151481344,"reason":"the mapping does not allow it"}`)
	f("call:Add", `{}`, `{"command":"call:Add","status":"BadTypeMismatch","code":2155085824,"reason":"the payload is no list of arguments in JSON"}`)
}

// askWith sends a command and waits for the device's answer.
func (c *commander) askWith(a *tenant, device, name, payload string) string {
	c.t.Helper()
	path := "/api/command/v1alpha1/apps/" + a.name + "/devices/" + device + "?timeout=30&wait=30&command=" + name
	r, err := http.NewRequestWithContext(bounded(c.t), http.MethodPost, c.URL()+path, strings.NewReader(payload))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth("alice", c.secret)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.Status + " " + string(text)
}

// TestOPCUAAlarm has an alarm become active and inactive again.
func TestOPCUAAlarm(t *testing.T) {
	h := startHall(t, opcuaserver.NodeOPCUA, opcuaserver.Options{}, `
  - path: Objects/Line1/Boiler
    name: boiler
    writes: [Level]
    events: [{channel: alarms, types: [AlarmConditionType]}]
`, "boiler")
	h.awaitConnections("boiler", `{"connected":true}`)
	c := startCommand(t)
	const good = `200 OK {"command":"write:Level","status":"Good","code":0}`
	for _, step := range []struct{ level, active string }{{"150", "true"}, {"50", "false"}} {
		if answer := c.askWith(h.tenant, "boiler", "write:Level", step.level); answer != good {
			t.Fatalf("the level is written: %s", answer)
		}
		r := h.await("boiler", "alarms", `"ActiveState/Id":`+step.active)
		if !strings.Contains(r.payload, `"ConditionName":"LevelAlarm"`) || r.headers["ce_opcuanodeid"] != "nsu=urn:fairlead:test;s=Boiler.Level" {
			t.Errorf("the alarm is %v %s", r.headers, r.payload)
		}
	}
}

// TestOPCUAKafkaDies takes Kafka away under counters. The server keeps what they say.
func TestOPCUAKafkaDies(t *testing.T) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			h := startHall(t, kind, opcuaserver.Options{Counters: 2, Every: 50 * time.Millisecond}, counters, "press-1", "press-2")
			h.awaitCount("press-1", 1)
			reader := h.reader()
			restart := kill(t, here.kafka.Process)
			h.awaitProgress(reader, "Press1", 100)
			restart()
			now := h.awaitProgress(reader, "Press1", 20)
			for _, press := range []string{"press-1", "press-2"} {
				h.verify(press, h.awaitCount(press, now))
			}
		})
	}
}

// TestOPCUAGatewayDies kills the gateway under counters, twice. The next one takes its subscription over, which a server lets it do
// since it has shown the same certificate.
func TestOPCUAGatewayDies(t *testing.T) {
	h := startHallWith(t, opcuaserver.NodeOPCUA, opcuaserver.Options{Every: 50 * time.Millisecond}, opcua.PolicyBasic256Sha256, counters, "press-1")
	reader := h.reader()
	last := uint64(1)
	for range 2 {
		h.awaitCount("press-1", last)
		h.gateway.Kill()
		h.awaitProgress(reader, "Press1", 40)
		if err := h.gateway.Start(bounded(t)); err != nil {
			t.Fatal(err)
		}
		last = h.awaitProgress(reader, "Press1", 20)
	}
	h.verify("press-1", h.awaitCount("press-1", last))
}

// TestOPCUAGatewayStops has the gateway end as it does for a deployment, and its devices with it.
func TestOPCUAGatewayStops(t *testing.T) {
	h := startHallWith(t, opcuaserver.NodeOPCUA, opcuaserver.Options{Every: 50 * time.Millisecond}, opcua.PolicyBasic256Sha256, counters, "press-1")
	reader := h.reader()
	h.awaitCount("press-1", 1)
	if err := h.gateway.Stop(); err != nil {
		t.Fatal(err)
	}
	h.awaitConnections("press-1", `{"connected":true}`, `{"connected":false}`)
	h.awaitProgress(reader, "Press1", 40)
	if err := h.gateway.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	c := h.awaitCount("press-1", h.awaitProgress(reader, "Press1", 20))
	h.verify("press-1", c)
	if c.again > 0 {
		t.Errorf("%d events are stored twice", c.again)
	}
}
