package ttn

import (
	"os"
	"strings"
	"testing"
)

// TestGuide keeps the user's guide in step with the code: its table names every kind, and its example is read.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/ttn.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	for _, kind := range kinds() {
		if kind == Uplink {
			continue
		}
		if row := "| `" + string(kind) + "` | `" + kind.eventType() + "` | `" + kind.subject() + "` |"; !strings.Contains(guide, row) {
			t.Errorf("the guide lacks %s", row)
		}
	}
	for _, extension := range []string{ExtensionPort, ExtensionRetry, ExtensionHW, ExtensionEUI, ExtensionCount} {
		if !strings.Contains(guide, "| `"+extension+"` |") {
			t.Errorf("the guide lacks the extension %s", extension)
		}
	}
	_, rest, _ := strings.Cut(guide, "-d '")
	body, _, _ := strings.Cut(rest, "'\n")
	u, err := DecodeV3([]byte(body))
	if err != nil {
		t.Fatalf("the example %q: %v", body, err)
	}
	if u.Subject() != "15" || u.Device != "eui-0004a30b001c0530" {
		t.Errorf("the example is about port %s of %s", u.Subject(), u.Device)
	}
}
