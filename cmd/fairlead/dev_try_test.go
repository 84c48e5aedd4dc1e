//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/tlspsk"
	"github.com/fairlead/fairlead/test/neighbour"
)

// printedCommands are the command lines that fairlead dev prints, by their program.
func printedCommands(output string) (commands []string, programs map[string]int) {
	programs = map[string]int{}
	for line := range strings.Lines(output) {
		line, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "  ")
		program, _, _ := strings.Cut(line, " ")
		program = strings.TrimSuffix(strings.TrimSuffix(program, "-openssl"), "-gnutls")
		switch program {
		case "curl", "mosquitto_pub", "mqtt", "coap-client", "printf":
			if indented {
				commands = append(commands, line)
				programs[program]++
			}
		}
	}
	return commands, programs
}

// TestPrintedCommandsWork runs every command line that fairlead dev prints for its example. Each brings one event.
func TestPrintedCommandsWork(t *testing.T) {
	p := launch(t, onFreePorts(t.TempDir()))
	neighbour.Eventually(t, "the command lines", func() bool { return strings.Contains(p.out.String(), "The Trigger in ") })
	commands, programs := printedCommands(p.out.String())
	want := map[string]int{"curl": 3, "mosquitto_pub": 2, "mqtt": 2, "coap-client": 2}
	if tlspsk.Available {
		want["mosquitto_pub"]++
		want["printf"]++
	}
	for program, n := range want {
		if programs[program] != n {
			t.Errorf("%d commands with %s are printed, want %d", programs[program], program, n)
		}
	}
	for i, line := range commands {
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Env = append(os.Environ(), "NODE_PATH=/usr/share/nodejs") // where Debian has MQTT.js; Node.js of others looks elsewhere
		output, err := command.CombinedOutput()
		t.Logf("%s\n%s%v", line, output, err)
		neighbour.Eventually(t, "its event", func() bool { return strings.Count(p.out.String(), "→ default/print 202") == i+1 })
	}
}

// TestHintsWork runs every command line that is printed with a new credential of a device. Each brings one event.
func TestHintsWork(t *testing.T) {
	data := t.TempDir()
	p := launch(t, onFreePorts(data))
	s := &shell{t: t, note: note(t, data, p.command.Process.Pid), config: filepath.Join(t.TempDir(), "contexts.yaml")}
	s.do("login", s.note.API, "--access-token", s.note.Account.AccessToken)
	s.do("context", "set-app", "example-app")
	s.do("device", "create", "sensor")
	events := 0
	f := func(want int, line ...string) {
		t.Helper()
		_, hint := s.do(line...)
		commands, programs := printedCommands(hint)
		for _, command := range commands {
			if strings.HasPrefix(command, "mosquitto_pub") && strings.Contains(command, "--psk ") && !tlspsk.Available {
				continue
			}
			output, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
			t.Logf("%s\n%s%v", command, output, err)
			events++
			neighbour.Eventually(t, "the event of "+command, func() bool { return strings.Count(p.out.String(), "→ default/print 202") == events })
		}
		if len(commands) != want {
			t.Errorf("%v prints %v, want %d", line, programs, want)
		}
	}
	f(2, "set", "password", "sensor")
	f(2, "set", "psk", "sensor")
	f(0, "set", "psk", "sensor", "--append") // handshakes are about the first one
	f(2, "set", "psk", "sensor", "--for", "1h")
	f(0, "set", "psk", "sensor")
}
