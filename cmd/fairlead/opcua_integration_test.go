//go:build integration

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/opcuaserver"
)

// againstEachOPCUA runs a test with a server of every kind, with two counters.
func againstEachOPCUA(t *testing.T, test func(t *testing.T, server *opcuaserver.Server)) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			server, err := opcuaserver.Start(t.Context(), kind, opcuaserver.Options{Counters: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			test(t, server)
		})
	}
}

// TestOPCUALooksAtServers has servers that nobody here wrote browsed, and a mapping held against them.
func TestOPCUALooksAtServers(t *testing.T) {
	againstEachOPCUA(t, func(t *testing.T, server *opcuaserver.Server) {
		folder := t.TempDir()
		f := func(wantStatus int, want string, arguments ...string) {
			t.Helper()
			arguments = append([]string{"opcua"}, append(arguments, "--folder", folder)...)
			status, out, errors := command(t.Context(), arguments...)
			if status != wantStatus || !strings.Contains(out+errors, want) {
				t.Errorf("%v: status %d, %q, %q; want status %d and %q", arguments, status, out, errors, wantStatus, want)
			}
		}
		f(0, "    Press2  nsu=urn:fairlead:test;s=Press2  Object\n      Counter  nsu=urn:fairlead:test;s=Press2.Counter  Variable  UInt32\n", "browse", server.URL())
		f(1, "is not trusted", "browse", server.URL(), "--policy", "Basic256Sha256")
		const counters = "  - path: Objects/Line1/Press*\n    channels:\n    - {name: c, nodes: [%]}\n    calls: [/Objects/Machine/Add]\n"
		mapping := func(node string) string { return mappingFile(t, server.URL(), strings.ReplaceAll(counters, "%", node)) }
		f(0, "2 devices, 2 monitored nodes", "check", mapping("Counter"), "--against", server.URL())
		f(1, "mapping.yaml:7: error: servers[0].devices[0].channels[0].nodes[0]: device Press1: Objects/Line1/Press1 has no node Counters: did you mean Counter?; 1 more devices have the like",
			"check", mapping("Counters"), "--against", server.URL())
		f(1, "is of type UInt32, not Double", "check", mapping("{path: Counter, type: Double}"), "--against", server.URL())
		f(1, "did you mean nsu=urn:fairlead:test;s=Press1.Counter?", "check", mapping("{id: 'nsu=urn:fairlead:test;s=Press1.Countr', name: x}"), "--against", server.URL())
	})
}

// TestDevForwardsFromOPCUA has fairlead dev print what a server says, and disconnect the devices when it is gone.
func TestDevForwardsFromOPCUA(t *testing.T) {
	againstEachOPCUA(t, func(t *testing.T, server *opcuaserver.Server) {
		registry := filepath.Join(t.TempDir(), "site.yaml")
		if err := os.WriteFile(registry, []byte(siteRegistry), 0o600); err != nil {
			t.Fatal(err)
		}
		mapping := mappingFile(t, server.URL(), "  - path: Objects/Line1/Press*\n    name: press-{1}\n    channels:\n    - {name: \"{node}\", nodes: [Counter]}\n")
		data := t.TempDir()
		p := launch(t, onFreePorts(data, "--registry", registry, "--opcua", mapping))
		n := note(t, data, p.command.Process.Pid)
		printed := func(line string) {
			t.Helper()
			neighbour.Eventually(t, line+" to be printed", func() bool {
				return strings.Contains(strings.Join(strings.Fields(p.out.String()), " "), line)
			})
		}
		printed(`press-1 Counter {"value":`)
		printed(`press-2 Counter {"value":`)
		if !strings.Contains(p.out.String(), n.Kafka[0]) {
			t.Errorf("the address of Kafka is not printed: %s", p.out.String())
		}
		stored(t, n.Kafka[0], "press-2", `{"connected":true}`)
		server.Kill()
		stored(t, n.Kafka[0], "press-2", `{"connected":false}`)
		if status := p.end(os.Interrupt); status != 0 {
			t.Errorf("status %d: %s", status, p.out.String())
		}
	})
}

// stored waits until there is an event of a device with a body.
func stored(t *testing.T, kafka, device, body string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ConsumeTopics("events-plant"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	neighbour.Eventually(t, device+" to say "+body, func() (found bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			for _, h := range r.Headers {
				found = found || h.Key == "ce_device" && string(h.Value) == device && string(r.Value) == body
			}
		})
		return found
	})
}

const siteRegistry = `kind: Application
metadata: {name: plant}
---
kind: Device
metadata: {application: plant, name: opcua-gateway}
spec: {authentication: {credentials: [{pass: a-long-secret}]}}
---
kind: Device
metadata: {application: plant, name: press-1}
spec: {gatewaySelector: {matchNames: [opcua-gateway]}}
---
kind: Device
metadata: {application: plant, name: press-2}
spec: {gatewaySelector: {matchNames: [opcua-gateway]}}
`
