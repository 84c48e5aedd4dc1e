//go:build integration

package main

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/opcuaserver"
)

// TestOPCUALooksAtServers has servers that nobody here wrote browsed, and a mapping held against them.
func TestOPCUALooksAtServers(t *testing.T) {
	for _, kind := range opcuaserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			server, err := opcuaserver.Start(t.Context(), kind, opcuaserver.Options{Counters: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
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
}
