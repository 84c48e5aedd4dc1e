//go:build integration

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// A hall is a tenant whose machines are an OPC UA server, with the gateway that is deployed before it.
type hall struct {
	*tenant
	server  *opcuaserver.Server
	gateway *gatewaybin.Gateway
	events  *follower
	policy  opcua.Policy
	folder  string // of the mapping, and of what the gateway keeps
}

// A follower reads a topic from its beginning on, while more comes.
type follower struct {
	mu  sync.Mutex
	all []record
}

// readOn reads the topic of a tenant until the test ends.
func readOn(a *tenant) *follower {
	a.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.broker), kgo.ConsumeTopics(a.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		a.t.Fatal(err)
	}
	f := &follower{}
	ctx, stop := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			f.add(client.PollFetches(ctx)) // the client tries again while Kafka is away
		}
	})
	a.t.Cleanup(func() {
		stop()
		reading.Wait()
		client.Close()
	})
	return f
}

func (f *follower) add(fetches kgo.Fetches) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		f.all = append(f.all, record{int(r.Partition), r.Offset, string(r.Key), headers, string(r.Value)})
	})
}

// records are those so far, partition by partition.
func (f *follower) records() []record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(f.all), func(x, y record) int { return cmp.Compare(x.partition, y.partition) })
}

// startHall starts a server, and a gateway that has these devices of it, in YAML. Names are those of the devices.
func startHall(t *testing.T, kind opcuaserver.Kind, o opcuaserver.Options, devices string, names ...string) *hall {
	t.Helper()
	return startHallWith(t, kind, o, opcua.PolicyNone, devices, names...)
}

// startHallWith is startHall with a security policy.
func startHallWith(t *testing.T, kind opcuaserver.Kind, o opcuaserver.Options, policy opcua.Policy, devices string, names ...string) *hall {
	t.Helper()
	h := newHall(t, kind, o, policy, names...)
	h.mapping(devices, "")
	h.open()
	return h
}

// newHall starts a server, and registers the devices. The gateway trusts the server, if there is a policy.
func newHall(t *testing.T, kind opcuaserver.Kind, o opcuaserver.Options, policy opcua.Policy, names ...string) *hall {
	t.Helper()
	server, err := opcuaserver.Start(bounded(t), kind, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(server.LogPath()); err == nil && t.Failed() {
			t.Logf("the log of the server:\n%s", text)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	a := newTenant(t)
	h := &hall{tenant: a, server: server, events: readOn(a), policy: policy, folder: t.TempDir()}
	a.device("site", password("p"))
	for _, name := range names {
		a.device(name, `{"gatewaySelector":{"matchNames":["site"]}}`)
	}
	if policy != opcua.PolicyNone {
		trust(t, server, policy, h.state(), o.Person != "")
	}
	return h
}

// state is the folder of the gateway.
func (h *hall) state() string { return filepath.Join(h.folder, "state") }

// mapping writes the mapping of the gateway, with an identity in YAML, "" for nobody.
func (h *hall) mapping(devices, identity string) {
	h.t.Helper()
	if identity != "" {
		identity = "  identity: " + identity + "\n"
	}
	text := fmt.Sprintf("namespaces: {t: %q}\nservers:\n- name: hall\n  url: %s\n  security: {policy: %s}\n%s  devices:\n%s",
		opcuaserver.Namespace, h.server.URL(), h.policy, identity, devices)
	if err := os.WriteFile(filepath.Join(h.folder, "mapping.yaml"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// open starts the gateway.
func (h *hall) open() {
	h.t.Helper()
	program, err := gatewayProgram()
	if err != nil {
		h.t.Fatal(err)
	}
	h.gateway, err = program.Start(bounded(h.t), "opcua", append(gatewaySettings(),
		"FAIRLEAD_OPCUA_MAPPING="+filepath.Join(h.folder, "mapping.yaml"), "FAIRLEAD_OPCUA_FOLDER="+h.state(),
		"FAIRLEAD_OPCUA_GATEWAY_APPLICATION="+h.name, "FAIRLEAD_OPCUA_GATEWAY_DEVICE=site", "FAIRLEAD_OPCUA_GATEWAY_PASSWORD=p",
		"FAIRLEAD_OPCUA_RETRY_DELAY=1s", "FAIRLEAD_OPCUA_RECONNECT_DELAY=1s",
	)...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("the log of the gateway:\n%s", h.log())
		}
		if err := h.gateway.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

// stop has the gateway end.
func (h *hall) stop() {
	h.t.Helper()
	if err := h.gateway.Stop(); err != nil {
		h.t.Fatal(err)
	}
}

// awaitRefusal starts a gateway that the server refuses, until its log and its readiness say so, and ends it.
func (h *hall) awaitRefusal(reason string) {
	h.t.Helper()
	before := len(h.log())
	ctx, cancel := context.WithCancel(bounded(h.t))
	started := make(chan error, 1)
	go func() { started <- h.gateway.Start(ctx) }()
	defer func() {
		cancel()
		if err := <-started; err == nil {
			h.t.Errorf("a gateway that is to be refused (%s) is ready", reason)
		}
	}()
	neighbour.Eventually(h.t, "the log to say "+reason, func() bool { return strings.Contains(h.log()[before:], reason) })
	neighbour.Eventually(h.t, "readiness to name the server", func() bool {
		err := h.gateway.Ready(ctx)
		return err != nil && strings.Contains(err.Error(), "server hall: ")
	})
}

// log is what the gateway has logged in all its lives.
func (h *hall) log() string {
	text, err := os.ReadFile(h.gateway.LogPath())
	if err != nil {
		h.t.Error(err)
	}
	return string(text)
}

// trust has a gateway's folder trust a server, as an operator does: by moving the certificate that was refused.
func trust(t *testing.T, server *opcuaserver.Server, policy opcua.Policy, folder string, named bool) {
	t.Helper()
	c := opcua.EndpointConfig{Name: "hall", URL: server.URL(), Folder: folder, Policy: policy}
	if named {
		c.Identity = opcua.Identity{User: opcuaserver.User, PasswordFile: filepath.Join(t.TempDir(), "password")}
		if err := os.WriteFile(c.Identity.PasswordFile, []byte(opcuaserver.Password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if connection, err := opcua.Dial(bounded(t), c, zap.NewNop()); err == nil {
		_ = connection.Close()
		t.Fatal("a server that nobody trusts is taken")
	}
	refused, err := filepath.Glob(filepath.Join(folder, "rejected", "*"))
	if err != nil || len(refused) != 1 {
		t.Fatalf("refused: %v, %v", refused, err)
	}
	if err := os.Rename(refused[0], filepath.Join(folder, "trusted", filepath.Base(refused[0]))); err != nil {
		t.Fatal(err)
	}
}

// of are the events of a device in a channel, in the order of the topic.
func (h *hall) of(device, channel string) []record {
	return slices.DeleteFunc(h.events.records(), func(r record) bool {
		return r.headers["ce_device"] != device || r.headers["ce_subject"] != channel
	})
}

// await waits until there is an event of a device in a channel whose body holds a text, and returns the first.
func (h *hall) await(device, channel, text string) (found record) {
	h.t.Helper()
	neighbour.Eventually(h.t, device+" to say "+text+" in "+channel, func() bool {
		for _, r := range h.of(device, channel) {
			if strings.Contains(r.payload, text) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// awaitConnections waits for the connection events of a device.
func (h *hall) awaitConnections(device string, want ...string) {
	h.t.Helper()
	var got []string
	neighbour.Eventually(h.t, device+": "+strings.Join(want, ", "), func() bool {
		got = nil
		for _, r := range h.of(device, "connection") {
			got = append(got, r.payload)
		}
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		h.t.Errorf("connection events of %s: %v, want %v", device, got, want)
	}
}

// A valueBody is as much of the body of a value as tests look at.
type valueBody struct {
	Value    json.RawMessage `json:"value"`
	Type     string          `json:"type"`
	Status   string          `json:"status"`
	Overflow bool            `json:"overflow"`
}

// A counting is what the counter of a device has said, as the numbered-message checker sees it.
type counting struct {
	numbers  []numbered.Stored
	again    int // events with the id of an earlier one
	overflow bool
	last     uint64
}

// counted reads what is stored of a counter.
func (h *hall) counted(device string) (c counting) {
	h.t.Helper()
	seen := map[string]bool{}
	for _, r := range h.of(device, "counter") {
		if id := r.headers["ce_id"]; seen[id] {
			c.again++
			continue
		} else {
			seen[id] = true
		}
		var body valueBody
		var n uint64
		if err := json.Unmarshal([]byte(r.payload), &body); err != nil {
			h.t.Fatal(err)
		}
		if err := json.Unmarshal(body.Value, &n); err != nil {
			h.t.Fatalf("the counter says %s", r.payload)
		}
		c.overflow = c.overflow || body.Overflow
		c.last = max(c.last, n)
		c.numbers = append(c.numbers, numbered.Stored{
			Message: numbered.Message{Device: device, Number: n}, Partition: int32(r.partition), Offset: r.offset,
		})
	}
	return c
}

// lives are the parts in which the numbers grow: a server that begins anew counts from 1 on.
func (c counting) lives() (all []counting) {
	for i, n := range c.numbers {
		if i == 0 || n.Number < c.numbers[i-1].Number {
			all = append(all, counting{overflow: c.overflow})
		}
		life := &all[len(all)-1]
		life.numbers, life.last = append(life.numbers, n), n.Number
	}
	return all
}

// awaitCount waits until a counter's number is stored that is not below this one.
func (h *hall) awaitCount(device string, number uint64) (c counting) {
	h.t.Helper()
	neighbour.Eventually(h.t, fmt.Sprintf("%s to be stored up to %d", device, number), func() bool {
		c = h.counted(device)
		return c.last >= number
	})
	return c
}

// verify holds what is stored of a counter against all numbers from the first on that is stored: each has to be there, in order.
func (h *hall) verify(device string, c counting) {
	h.t.Helper()
	checker := numbered.New()
	first := c.numbers[0].Number
	for range c.last {
		if m := checker.Next(device); m.Number >= first {
			checker.Answered(m, numbered.Acknowledged)
		}
	}
	if faults := checker.Verify(c.numbers); len(faults) > 0 {
		h.t.Errorf("from %d to %d, queue overflowed: %v\n%s", first, c.last, c.overflow, numbered.Summary(faults))
	}
}

// reader is somebody else who is connected to the server.
func (h *hall) reader() *opcua.Connection {
	h.t.Helper()
	c, err := opcua.Dial(bounded(h.t), opcua.EndpointConfig{Name: "reader", URL: h.server.URL(), Folder: h.t.TempDir()}, zap.NewNop())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// counterNow is what the counter of a press has come to at the server.
func (h *hall) counterNow(c *opcua.Connection, press string) uint64 {
	h.t.Helper()
	values, err := c.Read(bounded(h.t), opcua.NodeRef{Namespace: opcuaserver.Namespace, Kind: 's', Identifier: press + ".Counter"})
	if err != nil {
		h.t.Fatal(err)
	}
	n, ok := values[0].Value.Float()
	if !ok {
		h.t.Fatalf("the counter of %s is %v", press, values[0])
	}
	return uint64(n)
}

// awaitProgress waits until a counter has gone on at the server by so many numbers, and returns where it is.
func (h *hall) awaitProgress(c *opcua.Connection, press string, by uint64) (now uint64) {
	h.t.Helper()
	begin := h.counterNow(c, press)
	neighbour.Eventually(h.t, "the counter to go on", func() bool {
		now = h.counterNow(c, press)
		return now >= begin+by
	})
	return now
}
