package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/test/meter"
)

// TestMetricsKnowTheProtocol counts and times messages by protocol and outcome, and gives no other protocol a label of its own.
func TestMetricsKnowTheProtocol(t *testing.T) {
	counted := meter.Read(t)
	m := newPipelineMetrics()
	count := func(protocol string, o outcome.Outcome) {
		m.count(m.begin(&Message{Protocol: protocol, Received: time.Now().Add(-time.Minute)}), o)
	}
	count(refusal.MQTT, outcome.Accepted)
	count(refusal.MQTT, outcome.Accepted)
	count(refusal.HTTP, outcome.Rejected)
	count("made up", outcome.Invalid)
	count("", outcome.Invalid)
	want := map[string]int64{}
	for _, name := range []string{"fairlead.messages", "fairlead.messages.duration"} {
		want[name+" outcome=accepted protocol=mqtt"] = 2
		want[name+" outcome=rejected protocol=http"] = 1
		want[name+" outcome=invalid protocol=other"] = 2
	}
	got := counted.Counts()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, seconds := range counted.Totals() {
		if seconds < 60*float64(got[name]) {
			t.Errorf("%s: %v s for %d messages that came a minute ago", name, seconds, got[name])
		}
	}
}
