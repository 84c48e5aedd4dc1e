package knative

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.uber.org/zap"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/eventfilter/attributes"
	"knative.dev/eventing/pkg/eventfilter/subscriptionsapi"
	"knative.dev/pkg/logging"

	"github.com/fairlead/fairlead/triggers"
)

// silent is a context for Knative's filters, which log each decision.
func silent() context.Context {
	return logging.WithLogger(context.Background(), zap.NewNop().Sugar())
}

// events are what filters are asked about. Each has the attributes that Knative's Go filters take for empty and its Kafka
// dispatcher for missing.
func events() []event.Event {
	device := func(subject, name string) event.Event {
		e := event.New()
		e.SetID("7d0c")
		e.SetType("io.drogue.event.v1")
		e.SetSource("drogue://example-app/" + name)
		e.SetSubject(subject)
		e.SetTime(time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC))
		e.SetDataContentType("application/json; charset=utf-8")
		e.SetExtension("application", "example-app")
		e.SetExtension("device", name)
		return e
	}
	plain := device("temperature", "device1")
	lora := device("7", "eui-0004a30b001c0530")
	lora.SetExtension("lorawanport", "7")
	lora.SetDataSchema("https://example.com/temperature.json")
	typed := device("temp", "device2")
	typed.SetExtension("alarm", true)
	typed.SetExtension("hops", 3)
	connection := device("connection", "device1")
	connection.SetType("io.drogue.connection.v1")
	return []event.Event{plain, lora, typed, connection}
}

// knatives is a filter as Knative's type.
func knatives(t *testing.T, docs []triggers.FilterDoc) []eventingv1.SubscriptionsAPIFilter {
	t.Helper()
	text, err := json.Marshal(docs)
	if err != nil {
		t.Fatal(err)
	}
	var out []eventingv1.SubscriptionsAPIFilter
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// admitted tells whether Knative's webhook lets filters in.
func admitted(filters []eventingv1.SubscriptionsAPIFilter) bool {
	return eventingv1.ValidateSubscriptionAPIFiltersList(silent(), filters) == nil
}

// decide asks Knative's filter about an event, as its dispatcher does. A panic is an error.
func decide(f eventfilter.Filter, e event.Event) (passed bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			passed, err = false, fmt.Errorf("panic: %v", r)
		}
	}()
	return f.Filter(silent(), e) != eventfilter.FailFilter, nil
}

// compare checks one list of filters on every event; with CESQL, on which Knative's Go filters and its Kafka dispatcher
// differ, only whether both are admitted. It tells whether Knative admits it.
func compare(t *testing.T, docs ...triggers.FilterDoc) (compared bool) {
	t.Helper()
	text, _ := json.Marshal(docs)
	filters := knatives(t, docs)
	ours, err := triggers.Compile(&triggers.Trigger{Spec: triggers.TriggerSpec{Filters: docs}})
	if !admitted(filters) {
		if err == nil {
			t.Errorf("%s: Knative's webhook refuses it, Compile does not", text)
		}
		return false
	}
	if err != nil {
		t.Errorf("%s: Knative's webhook admits it, Compile does not: %v", text, err)
		return false
	}
	if strings.Contains(string(text), `"cesql"`) {
		return true
	}
	theirs := subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), filters)
	defer theirs.Cleanup()
	for i, e := range events() {
		want, err := decide(theirs, e)
		if err != nil {
			t.Errorf("%s: event %d: Knative: %v", text, i, err)
		}
		if got, err := ours.Evaluate(e); got != want || err != nil || ours.Match(e) != want {
			t.Errorf("%s: event %d: got %v, %v, Knative %v", text, i, got, err, want)
		}
	}
	return true
}

// attributeNames are those that filters ask for: all of the specification, an old
// name, extensions, and ones that no event has.
func attributeNames() []string {
	return []string{
		"specversion", "type", "source", "subject", "id", "time", "dataschema", "schemaurl", "datacontenttype", "application", "device", "lorawanport", "alarm", "hops", "nosuch",
	}
}

// attributeValues are compared with them.
func attributeValues() []string {
	return []string{
		"io.drogue.event.v1", "io.", ".v1", "drogue://example-app/device1", "temperature", "7", "0", "1.0", "1", "e", "true", "TRUE", "3",
		"application/json", "application/json; charset=utf-8", "https://example.com/temperature.json", "device1", "eui-",
		"2026-03-04T05:06:07.123456789Z", "2026-03-04T05:06:07+01:00", "2026", "ä",
	}
}

// expressions are CESQL that is boolean.
func expressions() []string {
	return []string{
		"TRUE", "FALSE", "not true", "type = 'io.drogue.event.v1'", "TYPE = \"io.drogue.event.v1\"", "type <> 'x'", "type != 'x'",
		"subject LIKE 'temp%'", "subject LIKE '_'", "subject LIKE '%\\%%'", "subject NOT LIKE 'temp%'", "device LIKE 'eui-%'",
		"EXISTS subject", "EXISTS lorawanport", "NOT EXISTS nosuch", "EXISTS type AND EXISTS dataschema", "EXISTS time",
		"lorawanport > 5", "lorawanport >= 7 AND lorawanport <= 7", "lorawanport < 5 OR subject = '7'", "lorawanport IN (1, 7)", "subject IN ('a', 7)",
		"device NOT IN ('device1', 'device2')", "hops = 3", "hops = '3'", "hops + 1 = 4", "hops % 2 = 1", "-hops = -3", "hops / 0 = 1", "hops * 2147483647 = 1",
		"alarm", "alarm = TRUE", "alarm AND EXISTS hops", "(alarm)", "alarm XOR TRUE", "nosuch = 'x'", "nosuch IN ('x')", "nosuch LIKE '%'", "NOT (nosuch = 'x')",
		"LENGTH(subject) > 3", "LENGTH(nosuch) > 3", "CONCAT(type, subject) = 'io.drogue.event.v17'", "CONCAT_WS('-', 'a', 'b') = 'a-b'",
		"LOWER(UPPER(device)) = 'device1'", "TRIM(' a ') = 'a'", "LEFT(type, 3) = 'io.'", "RIGHT(type, 3) = '.v1'", "LEFT(type, -1) = 'x'",
		"SUBSTRING(type, 4) = 'drogue.event.v1'", "SUBSTRING(type, 4, 6) = 'drogue'", "SUBSTRING(type, 400) = ''", "ABS(-3) = hops", "ABS(-2147483648) = 1",
		"IS_BOOL(alarm)", "IS_INT(lorawanport)", "BOOL('true')", "BOOL(subject)", "INT(subject) = 7", "STRING(hops) = '3'",
		"time = '2026-03-04T05:06:07.0000008Z'", "specversion = '1.0'", "datacontenttype LIKE 'application/%'", "dataschema = 'https://example.com/temperature.json'",
		"1 = 1 OR nosuch = 'x'", "nosuch = 'x' OR 1 = 1", "FALSE AND nosuch = 'x'", "'a' = 'a' XOR TRUE", "TRUE OR TRUE AND FALSE", "1 < 2 = TRUE", "'true' AND TRUE",
		"subject = ''", "subject = 'it\\'s'", "subject = \"say \\\"hi\\\"\"", "TRUE AND\n\tTRUE",
	}
}

// malformed is CESQL that Knative's webhook refuses; unless it is asked
// first, some of it makes the parser panic.
func malformed() []string {
	return []string{
		"type =", "= 'x'", "(", ")", "'", "type = 'x", "type = = 'x'", "type LIKE subject", "IN (1)", "EXISTS", "EXISTS 'x'", "type IN ()", "AND", "NOT",
		"99999999999 = 1", "type == 'x'", "LENGTH(", "LENGTH(type", "f(,)", "1 2", "TRUE TRUE", "a.b = 1", "type LIKE 1",
	}
}

func TestFiltersDecideAsKnative(t *testing.T) {
	var atoms []triggers.FilterDoc
	for _, name := range attributeNames() {
		for _, value := range attributeValues() {
			one := map[string]string{name: value}
			atoms = append(atoms, triggers.FilterDoc{Exact: one}, triggers.FilterDoc{Prefix: one}, triggers.FilterDoc{Suffix: one})
		}
	}
	for _, expression := range expressions() {
		atoms = append(atoms, triggers.FilterDoc{CESQL: expression})
	}
	count := 0
	check := func(docs ...triggers.FilterDoc) {
		t.Helper()
		if compare(t, docs...) {
			count += len(events())
		}
	}
	for i := range atoms {
		// Neighbours far apart, so that each dialect meets each other.
		a, b, c := atoms[i], atoms[(i*7+11)%len(atoms)], atoms[(i*13+5)%len(atoms)]
		notB := triggers.FilterDoc{Not: &b}
		check(a)
		check(triggers.FilterDoc{Not: &a})
		check(a, notB)
		check(triggers.FilterDoc{All: []triggers.FilterDoc{a, b}})
		check(triggers.FilterDoc{Any: []triggers.FilterDoc{a, b, c}})
		check(triggers.FilterDoc{Not: &triggers.FilterDoc{Any: []triggers.FilterDoc{a, {All: []triggers.FilterDoc{notB, c}}}}})
		check(triggers.FilterDoc{All: []triggers.FilterDoc{{Any: []triggers.FilterDoc{a}}}}, c)
	}
	check(triggers.FilterDoc{Exact: map[string]string{"type": "io.drogue.event.v1", "device": "device1"}})
	check(triggers.FilterDoc{Prefix: map[string]string{"type": "io.", "device": "eui-"}})
	check()
	if count < 20_000 {
		t.Errorf("only %d combinations were compared", count)
	}
	t.Logf("%d combinations of filters and events", count)
}

// texts tells whether the extensions of an event that are asked for are texts, or not there.
func texts(e event.Event, names map[string]string) bool {
	for name := range names {
		switch e.Extensions()[name].(type) {
		case nil, string:
		default:
			return false
		}
	}
	return true
}

func TestLegacyFiltersDecideAsKnative(t *testing.T) {
	check := func(want map[string]string) {
		t.Helper()
		ours, err := triggers.Compile(&triggers.Trigger{Spec: triggers.TriggerSpec{Filter: &triggers.Attributes{Attributes: want}}})
		refused := eventingv1.ValidateAttributeFilters(&eventingv1.TriggerFilter{Attributes: want}) != nil
		if (err != nil) != refused {
			t.Fatalf("%v: Compile: %v, Knative refuses: %v", want, err, refused)
		}
		if refused {
			return
		}
		theirs := attributes.NewAttributesFilter(want)
		for i, e := range events() {
			if !texts(e, want) {
				continue // a Kafka record has texts only, which Knative's Kafka dispatcher compares
			}
			passed, err := decide(theirs, e)
			if err != nil || ours.Match(e) != passed {
				t.Errorf("%v: event %d: Knative %v, %v", want, i, passed, err)
			}
		}
	}
	for _, name := range append(attributeNames(), "Type", "my-ext", "", "1a") {
		for _, value := range attributeValues() { // an empty value means any value to the one, and no condition to the other
			check(map[string]string{name: value})
			check(map[string]string{name: value, "device": "device1"})
		}
	}
	check(nil)
	check(map[string]string{})
}

// What Knative's webhook refuses, Compile refuses too.
func TestRefusedAsByKnative(t *testing.T) {
	one := map[string]string{"type": "x"}
	docs := []triggers.FilterDoc{
		{Exact: one, Prefix: one}, {Suffix: one, CESQL: "TRUE"}, {Not: &triggers.FilterDoc{Exact: one}, Any: []triggers.FilterDoc{{Exact: one}}},
		{Exact: map[string]string{"Type": "x"}}, {Prefix: map[string]string{"my-ext": "x"}}, {Suffix: map[string]string{"": "x"}},
		{All: []triggers.FilterDoc{{Exact: one, Suffix: one}}}, {Not: &triggers.FilterDoc{Not: &triggers.FilterDoc{CESQL: "("}}},
	}
	for _, expression := range malformed() {
		docs = append(docs, triggers.FilterDoc{CESQL: expression})
	}
	for _, doc := range docs {
		text, _ := json.Marshal(doc)
		if compare(t, doc) {
			t.Errorf("%s: Knative's webhook admits it, and so does Compile", text)
		}
	}
}

// Where the two differ on purpose: what Knative's webhook admits and Compile
// refuses, and what Knative's dispatcher then does with it.
func TestDifferences(t *testing.T) {
	f := func(doc triggers.FilterDoc, reason string, knative func(f eventfilter.Filter) bool) {
		t.Helper()
		text, _ := json.Marshal(doc)
		docs := []triggers.FilterDoc{doc}
		if !admitted(knatives(t, docs)) {
			t.Errorf("%s: Knative's webhook refuses it", text)
		}
		_, err := triggers.Compile(&triggers.Trigger{Spec: triggers.TriggerSpec{Filters: docs}})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: Compile: %v, want %q", text, err, reason)
		}
		theirs := subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), knatives(t, docs))
		defer func() {
			defer func() { _ = recover() }() // a not without a filter panics here too
			theirs.Cleanup()
		}()
		if !knative(theirs) {
			t.Errorf("%s: Knative does something else than is documented", text)
		}
	}
	all := func(test func(passed bool, err error) bool) func(eventfilter.Filter) bool {
		return func(f eventfilter.Filter) bool {
			for _, e := range events() {
				if !test(decide(f, e)) {
					return false
				}
			}
			return true
		}
	}
	passesAll := all(func(passed bool, err error) bool { return passed && err == nil })
	passesNone := all(func(passed bool, err error) bool { return !passed && err == nil })
	panics := all(func(_ bool, err error) bool { return err != nil })

	f(triggers.FilterDoc{}, "no dialect", passesAll)
	f(triggers.FilterDoc{Not: &triggers.FilterDoc{}}, "no dialect", passesAll)
	f(triggers.FilterDoc{Any: []triggers.FilterDoc{{}}}, "no dialect", passesAll)
	f(triggers.FilterDoc{Exact: map[string]string{"type": ""}}, "empty value", passesAll)
	f(triggers.FilterDoc{Prefix: map[string]string{"type": ""}}, "empty value", passesAll)
	f(triggers.FilterDoc{Suffix: map[string]string{"type": ""}}, "empty value", passesAll)
	f(triggers.FilterDoc{CESQL: "type"}, "not boolean", panics)
	f(triggers.FilterDoc{CESQL: "1 + 1"}, "not boolean", panics)
	f(triggers.FilterDoc{CESQL: "LENGTH(type)"}, "not boolean", panics)
	f(triggers.FilterDoc{CESQL: "NOSUCH(type) = 1"}, "unknown", passesNone)
	f(triggers.FilterDoc{CESQL: "LENGTH(type, id) = 1"}, "takes 1 argument", passesNone)
	f(triggers.FilterDoc{CESQL: "TRUE ;"}, "token recognition", passesAll)

	// Only the event can tell: device is a text, which Knative's Go filter panics at and its Kafka dispatcher takes for false.
	docs := []triggers.FilterDoc{{CESQL: "device"}}
	ours, err := triggers.Compile(&triggers.Trigger{Spec: triggers.TriggerSpec{Filters: docs}})
	if err != nil || !admitted(knatives(t, docs)) {
		t.Fatal(err)
	}
	theirs := subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), knatives(t, docs))
	e := events()[0]
	if _, err := decide(theirs, e); err == nil {
		t.Error("Knative's filter does not panic any more")
	}
	if got, err := ours.Evaluate(e); got || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
