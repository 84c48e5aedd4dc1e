package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mappingFile writes a mapping of one server.
func mappingFile(t *testing.T, url, devices string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "mapping.yaml")
	text := "servers:\n- name: hall\n  url: " + url + "\n  devices:\n" + devices
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOPCUACheck(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	f := func(wantStatus int, want, devices string, flags ...string) {
		t.Helper()
		file := mappingFile(t, "opc.tcp://localhost:4840", devices)
		status, out, errors := command(t.Context(), append([]string{"opcua", "check", file}, flags...)...)
		if status != wantStatus || !strings.Contains(out+errors, want) {
			t.Errorf("status %d, %q, %q; want status %d and %q", status, out, errors, wantStatus, want)
		}
	}
	const good, doubtful = "  - {path: Objects/Press, writes: [x]}\n",
		"  - {path: Objects/Press, channels: [{name: c, sampling: 1ms, nodes: [x]}]}\n"
	f(0, "no errors", good)
	f(1, `mapping.yaml:5: error: servers[0].devices[0]: "wirtes" is not known here: did you mean writes?`, "  - {path: Objects/Press, wirtes: [x]}\n")
	f(0, "mapping.yaml:5: warning: servers[0].devices[0].channels[0].nodes[0]", doubtful)
	f(1, "others are lost", doubtful, "--strict")
	f(1, "which server", good+"- {name: other, url: 'opc.tcp://other', devices: [{path: Objects/x, writes: [y]}]}\n", "--against", "opc.tcp://nowhere")
	f(1, "does not begin with opc.tcp://", good, "--against", "http://localhost")
	if status, out, _ := command(t.Context(), "opcua", "check", "no-such-file.yaml"); status != 1 || !strings.Contains(out, "no-such-file.yaml: error: cannot be read") {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestOPCUABrowseRefusesFlags(t *testing.T) {
	f := func(want string, arguments ...string) {
		t.Helper()
		arguments = append([]string{"opcua", "browse", "--folder", t.TempDir()}, arguments...)
		if status, _, errors := command(t.Context(), arguments...); status == 0 || !strings.Contains(errors, want) {
			t.Errorf("%v: status %d, %q; want %q", arguments, status, errors, want)
		}
	}
	f("does not begin with opc.tcp://", "localhost:4840")
	f("--depth", "opc.tcp://localhost", "--depth", "0")
	f("--start", "opc.tcp://localhost", "--start", "ns=1;i=2")
	f("--user and --password-file", "opc.tcp://localhost", "--user", "u")
	f("--certificate and --key", "opc.tcp://localhost", "--certificate", "c")
}
