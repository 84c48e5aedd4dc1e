package dryrun

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/triggers"
)

func TestNewest(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "some", "none"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := kafka.Config{Brokers: cluster.ListenAddrs()}
	producer, err := kafka.NewClient(c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range 30 {
		r := &kgo.Record{Topic: "some", Partition: int32(i % 3), Value: fmt.Append(nil, i)}
		if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	f := func(topic string, most, want int) {
		t.Helper()
		records, err := Newest(t.Context(), c, topic, most)
		if err != nil {
			t.Error(err)
		}
		if len(records) != want {
			t.Errorf("%s, at most %d: %d records, want %d", topic, most, len(records), want)
		}
	}
	f("some", 5, 5)
	f("some", 100, 30)
	f("none", 5, 0)
	if _, err := Newest(t.Context(), c, "missing", 5); !errors.Is(err, ErrNoTopic) {
		t.Errorf("error %v", err)
	}
}

func TestExplain(t *testing.T) {
	f := func(name, spec, want string) {
		t.Helper()
		text := "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: app\n  subscriber: {uri: http://h/}\n" + spec
		documents, err := triggers.Decode("t.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		e, err := Explain(documents[0].Trigger)
		if err != nil {
			t.Fatal(err)
		}
		event := cloudevents.New()
		event.SetID("i")
		event.SetSource("/s")
		event.SetType("io.drogue.event.v1")
		event.SetSubject("state")
		own, err := triggers.FromSDK(event)
		if err != nil {
			t.Fatal(err)
		}
		ok, why := e.Match(own)
		if ok != (want == "") {
			t.Errorf("%s: match is %v", name, ok)
		}
		if diff := cmp.Diff(want, why); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("no filter", "", "")
	f("attributes match", "  filter: {attributes: {type: io.drogue.event.v1, subject: state}}\n", "")
	f("one attribute differs", "  filter: {attributes: {type: io.drogue.event.v1, subject: other}}\n", `filter: subject is not "other"`)
	f("filters match", "  filters: [{exact: {subject: state}}]\n", "")
	f("second filter", "  filters: [{exact: {subject: state}}, {prefix: {type: com.}}]\n", `filters[1]: {"prefix":{"type":"com."}}`)
	f("expression", "  filters: [{cesql: \"subject = 'x'\"}]\n", `filters[0]: {"cesql":"subject = 'x'"}`)
}
