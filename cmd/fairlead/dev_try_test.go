//go:build integration

package main

import (
	"os"
	"os/exec"
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
