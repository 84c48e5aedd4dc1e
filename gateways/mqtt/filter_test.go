package mqtt

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/command"
)

func TestParseFilter(t *testing.T) {
	f := func(text string, want filter) {
		t.Helper()
		if got, ok := parseFilter(text); !ok || got != want {
			t.Errorf("parseFilter(%q) = %+v, %v, want %+v", text, got, ok, want)
		}
	}
	f("command/inbox/#", filter{scope: command.All})
	f("command/inbox/+/#", filter{scope: command.All})
	f("command/inbox//#", filter{scope: command.Own})
	f("command/inbox/device1/#", filter{command.One, "device1"})
	f("command/inbox/$device/#", filter{command.One, "$device"})
	f("command/inbox/a b%2F/#", filter{command.One, "a b%2F"})
}

func TestParseFilterRefuses(t *testing.T) {
	f := func(text string) {
		t.Helper()
		if got, ok := parseFilter(text); ok {
			t.Errorf("parseFilter(%q) = %+v", text, got)
		}
	}
	f("#")
	f("")
	f("+/inbox/#")
	f("command/#")
	f("command/+/#")
	f("command/inbox")
	f("command/inbox/")
	f("command/inbox//")
	f("command/inbox/+")
	f("command/inbox/+/+")
	f("command/inbox/device1")
	f("command/inbox/device1/set")
	f("command/inbox/device1/+")
	f("command/inbox/device1/set/#")
	f("command/inbox///#")
	f("/command/inbox/#")
	f("Command/inbox/#")
	f("$share/group/command/inbox/#")
}

// The table of what is delivered where.
func TestFilterTopic(t *testing.T) {
	own := command.Command{Gateway: "gw", Device: "gw", Name: "set"}
	proxied := command.Command{Gateway: "gw", Device: "device1", Name: "a/b"}
	f := func(text string, c command.Command, want string) {
		t.Helper()
		parsed, ok := parseFilter(text)
		if got := parsed.topic(&c); !ok || got != want {
			t.Errorf("with %q at %q, want %q", text, got, want)
		}
	}
	f("command/inbox/#", own, "command/inbox//set")
	f("command/inbox/#", proxied, "command/inbox/device1/a/b")
	f("command/inbox/+/#", own, "command/inbox//set")
	f("command/inbox/+/#", proxied, "command/inbox/device1/a/b")
	f("command/inbox//#", own, "command/inbox//set")
	f("command/inbox/gw/#", own, "command/inbox/gw/set")
	f("command/inbox/device1/#", proxied, "command/inbox/device1/a/b")
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"command/inbox/#", "command/inbox/+/#", "command/inbox//#", "command/inbox/d/#", "command/inbox/d/x", "#", "", "command/inbox/a+/#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseFilter(text)
		if !ok {
			return
		}
		if !strings.HasPrefix(text, "command/inbox/") || !strings.HasSuffix(text, "#") {
			t.Fatalf("%q was taken", text)
		}
		if (got.scope == command.One) != (got.device != "") || strings.ContainsAny(got.device, "/+#") {
			t.Fatalf("%q became %+v", text, got)
		}
	})
}
