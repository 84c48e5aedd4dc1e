package presence

import (
	"maps"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/meter"
)

func TestMetrics(t *testing.T) {
	counted := meter.Read(t)
	i := newInstallation(t, "redis://"+miniredis.RunT(t).Addr())
	p := i.process()
	i.log.setAnswer(func(m ingest.Message) outcome.Outcome {
		if m.Channel == "bad" {
			return outcome.Rejected
		}
		return outcome.Accepted
	})
	p.connect("a", will("gone", "1"))
	p.connect("a", will("bad", "1")).Release(true)
	p.connect("b", nil)
	if _, err := p.try("c", will("", "1")); err == nil {
		t.Error("a will without a topic is accepted")
	}
	i.becomes("a", "true gone=1 false true false")
	i.settles()
	want := map[string]int64{
		"fairlead.presence.sessions":                         1,
		"fairlead.presence.claims outcome=accepted":          3,
		"fairlead.presence.claims outcome=invalid":           1,
		"fairlead.presence.deaths":                           0,
		"fairlead.presence.takeovers":                        1,
		"fairlead.presence.losses":                           1,
		"fairlead.presence.events.queued event=connected":    3,
		"fairlead.presence.events.queued event=disconnected": 2,
		"fairlead.presence.events.queued event=will":         2,
		"fairlead.presence.events result=stored":             6,
		"fairlead.presence.events result=refused":            1,
		"fairlead.presence.events.delay":                     6,
	}
	eventually(t, "the ends to be written", p.calm)
	got := counted.Counts()
	delete(got, "fairlead.presence.waiting")               // as of the last heartbeat
	maps.DeleteFunc(got, func(name string, _ int64) bool { // of which a busy machine may have some
		return strings.HasPrefix(name, "fairlead.presence.failures")
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
