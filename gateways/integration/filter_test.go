package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

func TestParseFilter(t *testing.T) {
	f := func(text string, want topicFilter) {
		t.Helper()
		got, reason := parseFilter(text)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(topicFilter{})); diff != "" || reason != packet.Success {
			t.Errorf("%s: %s %s", text, reason, diff)
		}
	}
	f("app/plant", topicFilter{base: "app/plant", application: "plant"})
	f("a/plant", topicFilter{base: "a/plant", application: "plant"})
	f("application/plant", topicFilter{base: "application/plant", application: "plant"})
	f("$share/g/app/plant", topicFilter{shared: true, group: "g", base: "app/plant", application: "plant"})
	f("$shared/g/app/plant", topicFilter{shared: true, group: "g", base: "app/plant", application: "plant"})
	f("app/plant/temp", topicFilter{base: "app/plant", application: "plant", levels: 1, Filter: feed.Filter{Channel: "temp"}})
	f("app/plant/+", topicFilter{base: "app/plant", application: "plant", levels: 1})
	f("app/plant/+/d%2F1", topicFilter{base: "app/plant", application: "plant", levels: 2, Filter: feed.Filter{Device: "d/1"}})
	f("$share/g/app/plant/temp/d", topicFilter{
		shared: true, group: "g", base: "app/plant", application: "plant", levels: 2, Filter: feed.Filter{Channel: "temp", Device: "d"},
	})
}

func TestFiltersThatAreNone(t *testing.T) {
	for text, want := range map[string]packet.Reason{
		"app/#": packet.WildcardNotSupported, "app/+": packet.WildcardNotSupported, "#": packet.WildcardNotSupported, "+/plant": packet.WildcardNotSupported,
		"app/plant/#": packet.WildcardNotSupported, "app": packet.TopicFilterInvalid, "app/plant/a/b/c": packet.TopicFilterInvalid,
		"command/plant": packet.TopicFilterInvalid, "app/plant/": packet.TopicFilterInvalid, "app/plant/%2": packet.TopicFilterInvalid,
		"$share/g": packet.TopicFilterInvalid, "$share//app/plant": packet.TopicFilterInvalid, "$share/a b/app/plant": packet.TopicFilterInvalid,
		"app/Plant": packet.NotAuthorized, "app/": packet.NotAuthorized, "": packet.TopicFilterInvalid,
	} {
		if _, got := parseFilter(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A topic that was made for an event is a topic, and one that its own subscription can name.
func FuzzTopic(f *testing.F) {
	f.Add("app/plant/+/+", "temp", "d/1")
	f.Add("$share/g/app/plant/a%2Fb", "a/b", "x")
	f.Fuzz(func(t *testing.T, text, channel, device string) {
		filter, reason := parseFilter(text)
		if reason.Refuses() || channel == "" || device == "" {
			return
		}
		topic := filter.base
		for _, level := range []string{channel, device}[:filter.levels] {
			topic = string(appendLevel([]byte(topic+"/"), []byte(level)))
		}
		got, reason := parseFilter(topic)
		want := topicFilter{base: filter.base, application: filter.application, levels: filter.levels}
		if want.levels > 0 {
			want.Channel = channel
		}
		if want.levels > 1 {
			want.Device = device
		}
		if reason == packet.WildcardNotSupported || !cmp.Equal(got, want, cmp.AllowUnexported(topicFilter{}), cmpopts.EquateEmpty()) {
			t.Errorf("%s: %s %+v, want %+v", topic, reason, got, want)
		}
	})
}
