package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

func TestExtensions(t *testing.T) {
	f := func(want map[string]string, pairs ...string) {
		t.Helper()
		var p packet.UserProperties
		for i := 0; i < len(pairs); i += 2 {
			p = p.Append(pairs[i], pairs[i+1])
		}
		if diff := cmp.Diff(want, extensions(p)); diff != "" {
			t.Errorf("of %q (-want +got):\n%s", pairs, diff)
		}
	}
	f(nil)
	f(map[string]string{"trace1": "x"}, "trace1", "x")
	f(map[string]string{"a": "", "b": "ü €"}, "a", "", "b", "ü €")
	f(map[string]string{"a": "first"}, "a", "first", "a", "second")
	f(map[string]string{"a": "1"}, "A", "0", "a", "1", "a-b", "2", "a_b", "3", "", "4", strings.Repeat("x", 21), "5", "ü", "6")
	f(map[string]string{"a": "1"}, "a", "control\x01", "a", "1")
	f(nil, "a", strings.Repeat("x", 1025))

	// What the pipeline sets itself.
	for _, name := range []string{
		"specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema", "data",
		"instance", "application", "applicationuid", "device", "deviceuid", "sender", "senderuid", "partitionkey", "traceparent", "tracestate",
	} {
		f(nil, name, "forged")
	}
}

func TestExtensionsAreBounded(t *testing.T) {
	var p packet.UserProperties
	for i := range 100 {
		p = p.Append(fmt.Sprintf("x%d", i), "v").Append("Ignored", "v")
	}
	got := extensions(p)
	if len(got) != maxExtensions || got["x0"] == "" || got["x19"] == "" {
		t.Errorf("%d extensions: %v", len(got), got)
	}
}
