package event

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChangeRecord(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.FixedZone("x", 3600))
	f := func(c Change, key string, want map[string]string, data string) {
		t.Helper()
		c.Time = at
		record := c.Record("registry")
		got := map[string]string{}
		for _, h := range record.Headers {
			got[h.Key] = string(h.Value)
		}
		want["ce_specversion"], want["ce_time"], want["content-type"] = "1.0", "2026-01-02T02:04:05.6789Z", "application/json"
		want["ce_instance"], want["ce_partitionkey"] = "drogue", key
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if record.Topic != "registry" || string(record.Key) != key || string(record.Value) != data {
			t.Errorf("topic %q, key %q, value %q", record.Topic, record.Key, record.Value)
		}
		if e := read(t, record); e.Validate() != nil {
			t.Errorf("not a CloudEvent: %v", e.Validate())
		}
	}
	f(Change{Instance: "drogue", Application: "my-app", UID: "u", Revision: 1, Path: "."}, "drogue/my-app", map[string]string{
		"ce_type": "io.drogue.registry.change.application", "ce_source": "drogue:/drogue/my-app", "ce_subject": ".",
		"ce_application": "my-app", "ce_id": "u-1-.",
	}, `{"revision":1,"uid":"u"}`)
	f(Change{Instance: "drogue", Application: "app", Device: "a b/ü", UID: "u", Revision: 12, Path: ".spec.my section"}, "drogue/app/a%20b%2F%C3%BC", map[string]string{
		"ce_type": "io.drogue.registry.change.device", "ce_source": "drogue:/drogue/app/a%20b%2F%C3%BC", "ce_subject": ".spec.my section",
		"ce_application": "app", "ce_device": "a b/ü", "ce_id": "u-12-.spec.my%20section",
	}, `{"revision":12,"uid":"u"}`)
}
