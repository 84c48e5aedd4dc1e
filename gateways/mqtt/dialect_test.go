package mqtt

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

func TestDestinationOf(t *testing.T) {
	f := func(d registry.Dialect, topic string, want destination) {
		t.Helper()
		if got, err := destinationOf(d, topic); err != nil || got != want {
			t.Errorf("destinationOf(%v, %q) = %+v, %v, want %+v", d, topic, got, err, want)
		}
	}
	own := func(channel string) destination { return destination{channel: channel} }
	of := func(device, channel string) destination { return destination{channel, device, true} }

	f(registry.DrogueV1, "foo", own("foo"))
	f(registry.DrogueV1, "foo/device", of("device", "foo"))
	f(registry.DrogueV1, "foo/", of("", "foo"))
	f(registry.DrogueV1, "/device", of("device", ""))
	f(registry.DrogueV1, "a%20b/c%2Fd", of("c%2Fd", "a%20b"))
	f(registry.DrogueV1, "$sys", own("$sys"))

	f(registry.PlainTopic, "foo", own("foo"))
	f(registry.PlainTopic, "foo/bar", own("foo/bar"))
	f(registry.PlainTopic, "/bar", own("/bar"))
	f(registry.PlainTopic, "", own("")) // refused by the pipeline

	f(registry.PlainTopicWithDevice, "foo/bar", of("foo", "bar"))
	f(registry.PlainTopicWithDevice, "/bar", own("bar"))
	f(registry.PlainTopicWithDevice, "foo/bar/baz//bam/bum", of("foo", "bar/baz//bam/bum"))
	f(registry.PlainTopicWithDevice, "foo/", of("foo", ""))
	f(registry.PlainTopicWithDevice, "/", own(""))
}

func TestDestinationOfRefuses(t *testing.T) {
	f := func(d registry.Dialect, topic string) {
		t.Helper()
		if got, err := destinationOf(d, topic); outcome.Of(err) != outcome.Invalid || got != (destination{}) {
			t.Errorf("destinationOf(%v, %q) = %+v, %v", d, topic, got, err)
		}
	}
	f(registry.DrogueV1, "a/b/c")
	f(registry.DrogueV1, "a/b/")
	f(registry.DrogueV1, "//")
	f(registry.PlainTopicWithDevice, "foo")
	f(registry.PlainTopicWithDevice, "")
}

func FuzzDestinationOf(f *testing.F) {
	for _, seed := range []string{"", "foo", "foo/bar", "/bar", "foo/", "a/b/c", "//", "foo/bar/baz//bam/bum"} {
		for d := range 3 {
			f.Add(byte(d), seed)
		}
	}
	f.Fuzz(func(t *testing.T, d byte, topic string) {
		got, err := destinationOf(registry.Dialect(d%3), topic)
		if err != nil {
			return
		}
		var want string
		switch {
		case registry.Dialect(d%3) == registry.PlainTopicWithDevice:
			want = got.device + "/" + got.channel
		case got.proxied:
			want = got.channel + "/" + got.device
		default:
			want = got.channel
		}
		if want != topic {
			t.Errorf("%q became %+v", topic, got)
		}
		if registry.Dialect(d%3) == registry.DrogueV1 && strings.Contains(got.channel+got.device, "/") {
			t.Errorf("%q has a segment with a slash: %+v", topic, got)
		}
	})
}
