//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/neighbour"
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

// said are the events of the machine, with a field of a type that is the server's own. In asyncua they come from the server itself.
const said = `
    events: [{channel: said, severity: 300, types: ["nsu=urn:fairlead:test;s=BatchEventType"], fields: ["t:Batch"], notifier: %s}]
`

// TestOPCUA has values, events, methods and writes of a server, and its end and its return, told and done by the process that is
// deployed.
func TestOPCUA(t *testing.T) {
	notifier := map[opcuaserver.Kind]string{opcuaserver.NodeOPCUA: ".", opcuaserver.Asyncua: "/Objects/Server"}
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			h := startHall(t, kind, opcuaserver.Options{Counters: 2}, counters+machine+fmt.Sprintf(said, notifier[kind]), "press-1", "press-2", "machine")
			h.awaitConnections("press-2", `{"connected":true}`)
			testOPCUAValues(t, h)
			testOPCUACommands(t, h)

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
func testOPCUACommands(t *testing.T, h *hall) {
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
	f("call:emit", `["cold", 299]`, `{"command":"call:emit","status":"Good","code":0}`)
	f("call:emit", `["too hot", 700]`, `{"command":"call:emit","status":"Good","code":0}`)
	if r := h.await("machine", "said", "too hot"); !strings.Contains(r.payload, `"Severity":700`) || !strings.Contains(r.payload, `"Batch":"9007199254740993"`) {
		t.Errorf("the event is %s", r.payload)
	}
	if all := h.of("machine", "said"); len(all) != 1 {
		t.Errorf("%d events are severe enough", len(all))
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

// TestOPCUAAlarm has an alarm become active, be acknowledged by a call of its method, and become inactive again.
func TestOPCUAAlarm(t *testing.T) {
	h := startHall(t, opcuaserver.NodeOPCUA, opcuaserver.Options{}, `
  - path: Objects/Line1/Boiler
    name: boiler
    writes: [Level]
    calls: [{path: LevelAlarm/Acknowledge, name: acknowledge}]
    events: [{channel: alarms, types: [LimitAlarmType], fields: [HighLimit]}]
`, "boiler")
	h.awaitConnections("boiler", `{"connected":true}`)
	c := startCommand(t)
	f := func(name, payload string) {
		t.Helper()
		if answer := c.askWith(h.tenant, "boiler", name, payload); answer != `200 OK {"command":"`+name+`","status":"Good","code":0}` {
			t.Fatalf("%s %s: %s", name, payload, answer)
		}
	}
	f("write:Level", "150")
	r := h.await("boiler", "alarms", `"ActiveState/Id":true`)
	var alarm struct {
		EventID       string `json:"EventId"`
		ConditionName string
		HighLimit     float64
		Acked         bool `json:"AckedState/Id"`
	}
	if err := json.Unmarshal([]byte(r.payload), &alarm); err != nil {
		t.Fatal(err)
	}
	if alarm.ConditionName != "LevelAlarm" || alarm.HighLimit != 100 || alarm.Acked || r.headers["ce_opcuanodeid"] != "nsu=urn:fairlead:test;s=Boiler.Level" {
		t.Errorf("the alarm is %v %s", r.headers, r.payload)
	}
	f("call:acknowledge", `["`+alarm.EventID+`", "seen"]`)
	h.await("boiler", "alarms", `"AckedState/Id":true`)
	f("write:Level", "50")
	h.await("boiler", "alarms", `"ActiveState/Id":false`)
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

// TestOPCUAServerDies kills the server under counters, twice. Each of its lives counts from 1 on: nothing of a life is missing between
// the first and the last that is stored, and that something may be missing between two is told.
func TestOPCUAServerDies(t *testing.T) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			h := startHall(t, kind, opcuaserver.Options{Counters: 2, Every: 50 * time.Millisecond}, counters, "press-1", "press-2")
			for life := range 3 {
				if life > 0 {
					h.server.Kill()
					if err := h.server.Start(bounded(t)); err != nil {
						t.Fatal(err)
					}
				}
				for _, press := range []string{"press-1", "press-2"} {
					neighbour.Eventually(t, fmt.Sprintf("life %d of %s", life+1, press), func() bool {
						lives := h.counted(press).lives()
						return len(lives) == life+1 && len(lives[life].numbers) > 50
					})
				}
			}
			for _, press := range []string{"press-1", "press-2"} {
				for _, life := range h.counted(press).lives() {
					h.verify(press, life)
				}
				if told := h.of(press, "opcua/loss"); len(told) != 2 {
					t.Errorf("%d losses of %s are told", len(told), press)
				}
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

// TestOPCUABesideNonsense has a server serve as ever beside one that answers nonsense, and beside nodes that it does not have. What it
// says of a value has unit and range, and that a queue which is too short has overflowed.
func TestOPCUABesideNonsense(t *testing.T) {
	nonsense := httptest.NewServer(http.NotFoundHandler())
	defer nonsense.Close()
	h := newHall(t, opcuaserver.NodeOPCUA, opcuaserver.Options{}, opcua.PolicyNone, "line")
	h.mapping(`
  - path: Objects/Line1
    name: line
    channels:
    - {name: "{node}", publishing: 1s, sampling: 0s, queue: 2, nodes: [{path: Temperature, units: true}, Temprature]}
- name: nonsense
  url: opc.tcp://`+nonsense.Listener.Addr().String()+`
  devices:
  - {path: Objects/Line1, name: other, writes: [x]}
`, "")
	h.open()
	h.await("line", "Temperature", `"unit":"°C","range":{"low":0,"high":200}`)
	reader, n := h.reader(), 20
	neighbour.Eventually(t, "an overflow", func() bool {
		n++
		status, err := reader.Write(bounded(t), opcua.NodeRef{Namespace: opcuaserver.Namespace, Kind: 's', Identifier: "Temperature"}, fmt.Append(nil, n))
		if err != nil || !status.Good() {
			t.Fatalf("writing: %v, %v", status, err)
		}
		return slices.ContainsFunc(h.of("line", "Temperature"), func(r record) bool { return strings.Contains(r.payload, `"overflow":true`) })
	})
	for _, want := range []string{"has no node Temprature: did you mean Temperature?", `"server":"nonsense"`} {
		neighbour.Eventually(t, "the log to say "+want, func() bool { return strings.Contains(h.log(), want) })
	}
}

// TestOPCUAIdentities has the gateway log in by name and by certificate at servers that let in nobody else, over channels that are
// encrypted, and say so when it is refused.
func TestOPCUAIdentities(t *testing.T) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			known, stranger := makeCertificate(t, "known"), makeCertificate(t, "stranger")
			h := newHall(t, kind, opcuaserver.Options{Person: known.DER}, opcua.PolicyAes256Sha256RsaPss, "press-1")
			byName := func(password string) string {
				file := filepath.Join(h.folder, "password")
				if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("{user: %s, passwordFile: %s}", opcuaserver.User, file)
			}
			byCertificate := func(c opcuaserver.Certificate) string {
				return fmt.Sprintf("{certificateFile: %s, keyFile: %s}", c.PEM, c.Key)
			}
			h.mapping(counters, byName(opcuaserver.Password))
			h.open()
			h.awaitCount("press-1", 3)
			h.stop()
			h.mapping(counters, byName("wrong"))
			h.awaitRefusal("BadUserAccessDenied")
			h.mapping(counters, byCertificate(stranger))
			h.awaitRefusal(refusals[kind].stranger)
			h.mapping(counters, "")
			h.awaitRefusal(refusals[kind].anonymous)
			h.mapping(counters, byCertificate(known))
			last := h.counted("press-1").last
			if err := h.gateway.Start(bounded(t)); err != nil {
				t.Fatal(err)
			}
			h.awaitCount("press-1", last+3)
			if strings.Contains(h.log(), opcuaserver.Password) {
				t.Error("the password is in the log")
			}
		})
	}
}

// refusals are how servers refuse. asyncua offers to let in whoever is anonymous, and does not.
var refusals = map[opcuaserver.Kind]struct{ stranger, anonymous string }{
	opcuaserver.NodeOPCUA: {"BadIdentityTokenRejected", "the server lets nobody in who is anonymous"},
	opcuaserver.Asyncua:   {"BadUserAccessDenied", "BadUserAccessDenied"},
}

func makeCertificate(t *testing.T, name string) opcuaserver.Certificate {
	t.Helper()
	c, err := opcuaserver.MakeCertificate(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
