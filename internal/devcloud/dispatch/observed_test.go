package dispatch

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/triggers"
)

// An observedRecord is a Kafka record in testdata/observed_filters.json. Values are texts, or objects for what is none.
type observedRecord struct {
	Record  string
	Headers [][2]any
	Value   any
}

// observed is what the dispatcher of Knative's Kafka Broker (eventing-kafka-broker at 7d8fe89f, Kafka 4.1.2) was seen to do: which
// records it delivered for each Trigger.
type observed struct {
	Records []observedRecord
	Filters []struct {
		Case      string
		Trigger   json.RawMessage
		Delivered []string
	}
}

// everything is a case whose filter lets every record pass that the dispatcher delivers at all.
const everything = "f005"

// refused are the cases that Compile refuses, since the expression cannot be meant so or needs a cluster: the dispatcher takes
// them as false, or looks a Secret up.
var refused = []string{"f217", "f219", "f221"}

// differing are the records and the case on which fairlead dev is known to decide otherwise; triggers/README.md says so. The data plane
// writes no such record.
var differing = []string{
	"r09",  // an empty subject, which Go's SDK takes for a missing one
	"r28",  // a structured event with JSON data and without datacontenttype
	"r44",  // a source with characters that no URI has
	"r49",  // content-type and ce_datacontenttype that say different things
	"f226", // asks for the partition, which only the dispatcher knows
}

func readObserved(t *testing.T) (o observed, events map[string]cloudevents.Event) {
	t.Helper()
	text, err := os.ReadFile("testdata/observed_filters.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	var delivered []string
	for _, f := range o.Filters {
		if f.Case == everything {
			delivered = f.Delivered
		}
	}
	events = map[string]cloudevents.Event{}
	for _, r := range o.Records {
		if !slices.Contains(delivered, r.Record) || slices.Contains(differing, r.Record) {
			continue
		}
		if e, err := Decode(r.record()); err == nil {
			events[r.Record] = e
		}
	}
	return o, events
}

func (r *observedRecord) record() *kgo.Record {
	record := &kgo.Record{Value: observedBytes(r.Value)}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h[0].(string), Value: observedBytes(h[1])})
	}
	return record
}

func observedBytes(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case map[string]any:
		if n, ok := v["bytes"].(float64); ok {
			return make([]byte, int(n))
		}
		text, _ := v["base64"].(string)
		b, _ := base64.StdEncoding.DecodeString(text)
		return b
	default:
		return nil
	}
}

// TestFiltersDecideAsObserved puts the same records to the same Triggers.
func TestFiltersDecideAsObserved(t *testing.T) {
	o, events := readObserved(t)
	var notTaken []string
	decisions := 0
	for _, f := range o.Filters {
		if slices.Contains(differing, f.Case) {
			continue
		}
		var spec triggers.TriggerSpec
		if err := json.Unmarshal(f.Trigger, &spec); err != nil {
			t.Fatalf("%s: %v", f.Case, err)
		}
		filter, err := triggers.Compile(&triggers.Trigger{Spec: spec})
		if err != nil {
			notTaken = append(notTaken, f.Case)
			continue
		}
		for name, e := range events {
			decisions++
			if got, want := filter.Match(e), slices.Contains(f.Delivered, name); got != want {
				t.Errorf("%s %s: record %s: %v, Knative's dispatcher %v", f.Case, f.Trigger, name, got, want)
			}
		}
	}
	if diff := cmp.Diff(refused, notTaken); diff != "" {
		t.Errorf("cases that are refused (-want +got):\n%s", diff)
	}
	if decisions < 3500 {
		t.Errorf("only %d decisions were compared", decisions)
	}
}
