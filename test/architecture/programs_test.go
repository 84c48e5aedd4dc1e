package architecture

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// dependencies lists everything that a package of the module imports, directly or not.
func dependencies(t *testing.T, folder string) []string {
	t.Helper()
	command := exec.Command("go", "list", "-deps", folder)
	command.Dir = "../.."
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("listing what %s imports: %v", folder, err)
	}
	return strings.Fields(string(output))
}

// TestProgramsHoldTheirOwnOnly keeps the adapters of the one program, and the libraries of their protocols, out of the other.
func TestProgramsHoldTheirOwnOnly(t *testing.T) {
	f := func(folder string, needed string, foreign ...string) {
		t.Helper()
		found := false
		for _, imported := range dependencies(t, folder) {
			found = found || imported == module+"/"+needed
			for _, prefix := range foreign {
				if strings.HasPrefix(imported, prefix) {
					t.Errorf("%s imports %s", folder, imported)
				}
			}
		}
		if !found {
			t.Errorf("%s does not import %s: is this the right program?", folder, needed)
		}
	}
	f(".", "functions/telemetry", module+"/gateways/", module+"/internal/assembly/gateways", module+"/internal/mqtt", module+"/internal/coap",
		module+"/internal/presence", module+"/internal/devcloud", "github.com/pion/", "github.com/plgd-dev/", "github.com/eclipse/paho")
	f("./cmd/gateway", "gateways/mqtt", module+"/functions/", module+"/registry-fn", module+"/internal/assembly/functions", module+"/internal/store",
		module+"/internal/devcloud", "github.com/jackc/", "modernc.org/sqlite")
}
