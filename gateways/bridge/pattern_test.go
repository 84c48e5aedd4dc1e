package bridge

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestPattern(t *testing.T) {
	f := func(pattern, filter, topic string, want destination, matches bool) {
		t.Helper()
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			return
		}
		if got := p.Filter(); got != filter {
			t.Errorf("%s: filter %s, want %s", pattern, got, filter)
		}
		if got, ok := p.match(topic); ok != matches || ok && got != want {
			t.Errorf("%s: %s is %+v, %v; want %+v, %v", pattern, topic, got, ok, want, matches)
		}
		if subscribed(filter, topic) != matches {
			t.Errorf("%s: %s matches %v, but by its filter it does not", pattern, topic, matches)
		}
	}
	none := destination{}
	f("site/{device}/{channel...}", "site/+/+/#", "site/pump/temp", destination{"pump", "temp"}, true)
	f("site/{device}/{channel...}", "site/+/+/#", "site/pump/motor/temp", destination{"pump", "motor/temp"}, true)
	f("site/{device}/{channel...}", "site/+/+/#", "site/pump/", destination{"pump", ""}, true)
	f("site/{device}/{channel...}", "site/+/+/#", "site/pump//", destination{"pump", "/"}, true)
	f("site/{device}/{channel...}", "site/+/+/#", "site//temp", destination{"", "temp"}, true)
	f("site/{device}/{channel...}", "site/+/+/#", "site/pump", none, false)
	f("site/{device}/{channel...}", "site/+/+/#", "site", none, false)
	f("site/{device}/{channel...}", "site/+/+/#", "sites/pump/temp", none, false)

	f("{channel}/of/{device}", "+/of/+", "temp/of/pump", destination{"pump", "temp"}, true)
	f("{channel}/of/{device}", "+/of/+", "temp/of/pump/now", none, false)
	f("{channel}/of/{device}", "+/of/+", "temp/of", none, false)
	f("+/{device}/+/{channel}", "+/+/+/+", "a/pump/b/temp", destination{"pump", "temp"}, true)
	f("+/{device}/+/{channel}", "+/+/+/+", "a/pump/b", none, false)

	f("{channel...}", "+/#", "a/b/c", destination{"", "a/b/c"}, true)
	f("{channel...}", "+/#", "$SYS/uptime", none, false)
	f("{channel}", "+", "$SYS", none, false)
	f("+/{channel}", "+/+", "$SYS/uptime", none, false)
	f("$SYS/{channel...}", "$SYS/+/#", "$SYS/broker/uptime", destination{"", "broker/uptime"}, true)
	f("{device}/{channel}", "+/+", "a$/$b", destination{"a$", "$b"}, true)
	f("/{device}/{channel}", "/+/+", "/pump/temp", destination{"pump", "temp"}, true)
	f("/{device}/{channel}", "/+/+", "pump/temp", none, false)
	f("a//{channel}", "a//+", "a//x", destination{"", "x"}, true)
	f("a b/ü/{channel}", "a b/ü/+", "a b/ü/x", destination{"", "x"}, true)
}

func TestParsePatternRefuses(t *testing.T) {
	f := func(pattern, want string) {
		t.Helper()
		if _, err := ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
	f("", "1 to 1024 bytes")
	f(strings.Repeat("x", 1024)+"/{channel}", "1 to 1024 bytes")
	f("a\x00b/{channel}", "1 to 1024 bytes")
	f("a\xff/{channel}", "1 to 1024 bytes")
	f("site/{device}", "one {channel}")
	f("site", "one {channel}")
	f("{channel}/{channel}", "one {channel}")
	f("{channel}/{channel...}", "one {channel}")
	f("{device}/{device}/{channel}", "more than once")
	f("{channel...}/x", "nothing follows")
	f("{channel...}/", "nothing follows")
	f("site/#", "neither")
	f("#", "neither")
	f("site/a+/{channel}", "neither")
	f("site/{device}x/{channel}", "neither")
	f("site/{Device}/{channel}", "neither")
	f("site/{gateway}/{channel}", "neither")
	f("site/{}/{channel}", "neither")
	f("site/{device/{channel}", "neither")
	f("site/device}/{channel}", "neither")
	f("$share/group/{channel}", "own setting")
}

func TestRoutes(t *testing.T) {
	r, err := parseRoutes([]string{"site/{device}/alarm/{channel}", "site/{device}/{channel...}", "{channel}"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(topic string, want destination) {
		t.Helper()
		if got, err := r.find(topic); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", topic, got, err, want)
		}
	}
	f("site/pump/alarm/fire", destination{"pump", "fire"})
	f("site/pump/alarm/fire/now", destination{"pump", "alarm/fire/now"})
	f("site/pump/alarm", destination{"pump", "alarm"})
	f("status", destination{"", "status"})
	refused := func(topic string) {
		t.Helper()
		if got, err := r.find(topic); outcome.Of(err) != outcome.Invalid {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
	refused("site/pump")
	refused("site//alarm/fire")
	refused("site/" + strings.Repeat("x", 256) + "/temp")
	refused("site/a\u0085b/temp")
}

// subscribed tells whether a topic matches a filter, level by level, as MQTT 5.0 section 4.7 says.
func subscribed(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	filters, topics := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range filters {
		switch {
		case level == "#":
			return true
		case i >= len(topics) || level != "+" && level != topics[i]:
			// The parent of # is the one topic that is shorter than its filter.
			return i == len(topics) && level == "#"
		}
	}
	return len(filters) == len(topics)
}

// FuzzPattern checks that the broker sends, for the filter of a pattern, exactly the topics that the pattern matches, and
// that what is taken out of a topic was in it.
func FuzzPattern(f *testing.F) {
	f.Add("site/{device}/{channel...}", "site/pump/motor/temp")
	f.Add("{channel}/of/{device}", "temp/of/pump")
	f.Add("+/{device}/{channel...}", "$SYS/a/b")
	f.Add("{channel...}", "")
	f.Add("/{channel}", "//")
	f.Add("a/+/{device}/b/{channel}", "a/x/y/b/z")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		filter := p.Filter()
		d, ok := p.match(topic)
		if ok != subscribed(filter, topic) {
			t.Fatalf("%q: %q matches %v, and not its filter %q", pattern, topic, ok, filter)
		}
		if !ok {
			return
		}
		rebuilt := make([]string, 0, len(p.levels))
		for i, part := range strings.SplitN(topic, "/", len(p.levels)) {
			switch p.levels[i].role {
			case roleDevice:
				part = d.device
			case roleChannel, roleRest:
				part = d.channel
			}
			rebuilt = append(rebuilt, part)
		}
		if got := strings.Join(rebuilt, "/"); got != topic {
			t.Fatalf("%q: %q is %+v, which makes %q", pattern, topic, d, got)
		}
	})
}
