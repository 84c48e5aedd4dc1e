package triggers

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/triggers/cesql"
)

// telemetry is an event as a device's message becomes one.
func telemetry() event.Event {
	e := event.New()
	e.SetID("1")
	e.SetType("io.drogue.event.v1")
	e.SetSource("drogue://example-app/device1")
	e.SetSubject("temp/inside")
	e.SetTime(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	e.SetDataContentType("application/json; charset=utf-8")
	e.SetExtension("device", "device1")
	e.SetExtension("lorawanport", "7")
	e.SetExtension("hops", 3)
	e.SetExtension("alarm", true)
	return e
}

func exact(name, value string) FilterDoc  { return FilterDoc{Exact: map[string]string{name: value}} }
func prefix(name, value string) FilterDoc { return FilterDoc{Prefix: map[string]string{name: value}} }
func suffix(name, value string) FilterDoc { return FilterDoc{Suffix: map[string]string{name: value}} }
func sql(expression string) FilterDoc     { return FilterDoc{CESQL: expression} }
func allOf(docs ...FilterDoc) FilterDoc   { return FilterDoc{All: docs} }
func oneOf(docs ...FilterDoc) FilterDoc   { return FilterDoc{Any: docs} }
func noneOf(doc FilterDoc) FilterDoc      { return FilterDoc{Not: &doc} }

func trigger(docs ...FilterDoc) *Trigger { return &Trigger{Spec: TriggerSpec{Filters: docs}} }

func TestMatch(t *testing.T) {
	f := func(doc FilterDoc, want bool) {
		t.Helper()
		filter, err := Compile(trigger(doc))
		if err != nil {
			t.Errorf("Compile(%+v): %v", doc, err)
			return
		}
		got, err := filter.Evaluate(telemetry())
		if got != want || err != nil || filter.Match(telemetry()) != want {
			t.Errorf("%+v: got %v, %v, want %v", doc, got, err, want)
		}
	}
	f(exact("type", "io.drogue.event.v1"), true)
	f(exact("type", "IO.DROGUE.EVENT.V1"), false)
	f(exact("specversion", "1.0"), true)
	f(exact("source", "drogue://example-app/device1"), true)
	f(exact("id", "1"), true)
	f(exact("time", "2026-03-04T05:06:07Z"), true)
	f(exact("datacontenttype", "application/json; charset=utf-8"), true)
	f(exact("datamediatype", "application/json"), false) // not an attribute, but for the Go SDK
	f(exact("dataschema", "x"), false)
	f(exact("schemaurl", "x"), false)
	f(exact("datacontentencoding", "base64"), false)
	f(exact("device", "device1"), true)
	f(exact("hops", "3"), true)
	f(exact("alarm", "true"), true)
	f(exact("nosuch", "x"), false)
	f(FilterDoc{Exact: map[string]string{"device": "device1", "id": "1"}}, true)
	f(FilterDoc{Exact: map[string]string{"device": "device1", "id": "2"}}, false)
	f(prefix("subject", "temp/"), true)
	f(prefix("subject", "humidity/"), false)
	f(prefix("nosuch", "x"), false)
	f(suffix("subject", "/inside"), true)
	f(suffix("subject", "/outside"), false)
	f(noneOf(exact("nosuch", "x")), true)
	f(noneOf(exact("id", "1")), false)
	f(allOf(exact("id", "1"), prefix("type", "io.")), true)
	f(allOf(exact("id", "1"), prefix("type", "org.")), false)
	f(oneOf(exact("id", "2"), prefix("type", "io.")), true)
	f(oneOf(exact("id", "2"), prefix("type", "org.")), false)
	f(noneOf(allOf(exact("id", "1"), oneOf(suffix("id", "2"), exact("id", "3")))), true)

	f(sql("type = 'io.drogue.event.v1' AND subject LIKE 'temp/%'"), true)
	f(sql("TYPE = 'io.drogue.event.v1'"), false) // names are taken as they are written
	f(sql("EXISTS TYPE AND EXISTS Device"), true)
	f(sql("lorawanport > 5"), true)
	f(sql("lorawanport IN (1, 2)"), false)
	f(sql("EXISTS device"), true)
	f(sql("NOT EXISTS nosuch"), true)
	f(sql("nosuch = 'x'"), false)
	f(noneOf(sql("nosuch = 'x'")), true)
	f(sql("NOT (nosuch = 'x')"), true) // errors end nothing
	f(sql("nosuch = 'x' OR TRUE"), true)
	f(sql("10 / 0 = 0"), true)
	f(sql("device"), false)
	f(noneOf(sql("device")), true)
	f(sql("alarm"), true)
	f(sql("LENGTH(subject) = 11"), true)
	f(sql("1 / 0 = 1"), false)
	f(sql("TRUE"), true)
	f(sql("IS_INT(lorawanport)"), true)
	f(sql("(TRUE)"), true)
	f(sql(strings.Repeat("(", 2000)+"TRUE"+strings.Repeat(")", 2000)), true)
	f(sql(strings.Repeat("NOT ", 1000)+"TRUE"), true)
}

func TestMatchLegacyAttributes(t *testing.T) {
	f := func(attributes map[string]string, want bool) {
		t.Helper()
		filter, err := Compile(&Trigger{Spec: TriggerSpec{Filter: &Attributes{Attributes: attributes}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Match(telemetry()); got != want {
			t.Errorf("%v: got %v, want %v", attributes, got, want)
		}
	}
	f(nil, true)
	f(map[string]string{}, true)
	f(map[string]string{"type": "io.drogue.event.v1", "device": "device1"}, true)
	f(map[string]string{"type": "io.drogue.event.v1", "device": "device2"}, false)
	f(map[string]string{"device": ""}, true)
	f(map[string]string{"nosuch": ""}, true) // an empty value is no condition
	f(map[string]string{"nosuch": "", "id": "2"}, false)
	f(map[string]string{"hops": "3"}, true)
}

func TestMatchWithoutFilter(t *testing.T) {
	for _, trigger := range []*Trigger{{}, {Spec: TriggerSpec{Filter: &Attributes{}, Filters: []FilterDoc{}}}} {
		filter, err := Compile(trigger)
		if err != nil || !filter.Match(telemetry()) {
			t.Errorf("%+v: %v", trigger, err)
		}
	}
	if !(Filter{}).Match(event.Event{}) {
		t.Error("the zero Filter refuses an event")
	}
}

func TestFiltersOverrideFilter(t *testing.T) {
	both := trigger(exact("id", "1"))
	both.Spec.Filter = &Attributes{Attributes: map[string]string{"id": "2"}}
	filter, err := Compile(both)
	if err != nil || !filter.Match(telemetry()) {
		t.Errorf("filters do not override filter: %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	f := func(doc FilterDoc, path, reason string) {
		t.Helper()
		_, err := Compile(trigger(doc))
		var refused *FilterError
		if !errors.As(err, &refused) {
			t.Errorf("%+v: got %v, want a FilterError", doc, err)
			return
		}
		if refused.Path != path || !strings.Contains(refused.Err.Error(), reason) {
			t.Errorf("%+v: got %v, want %s: …%s…", doc, err, path, reason)
		}
	}
	deep := exact("id", "1")
	for range MaxFilterDepth {
		deep = noneOf(deep)
	}
	wide := make([]FilterDoc, MaxFilterNodes)
	for i := range wide {
		wide[i] = exact("id", "1")
	}
	f(FilterDoc{}, "spec.filters[0]", "no dialect")
	f(allOf(exact("id", "1"), FilterDoc{}), "spec.filters[0].all[1]", "no dialect")
	f(noneOf(FilterDoc{}), "spec.filters[0].not", "no dialect")
	f(exact("type", ""), "spec.filters[0].exact.type", "empty value")
	f(prefix("type", ""), "spec.filters[0].prefix.type", "empty value")
	f(noneOf(suffix("type", "")), "spec.filters[0].not.suffix.type", "empty value")
	f(exact("", "x"), "spec.filters[0].exact", "not the name")
	f(exact("Type", "x"), "spec.filters[0].exact", "not the name")
	f(exact("my-ext", "x"), "spec.filters[0].exact", "not the name")
	f(FilterDoc{Exact: map[string]string{"id": "1"}, CESQL: "TRUE"}, "spec.filters[0]", "exact and cesql")
	f(deep, "spec.filters[0]"+strings.Repeat(".not", MaxFilterDepth), "nested")
	f(FilterDoc{All: wide}, "spec.filters[0].all[255]", "more than 256")
	f(sql("type ="), "spec.filters[0].cesql", "line 1")
	f(sql("type = 'x' ;"), "spec.filters[0].cesql", "token recognition")
	f(sql("'"), "spec.filters[0].cesql", "line 1")
	f(sql("("), "spec.filters[0].cesql", "line 1")
	f(sql("99999999999 = 1"), "spec.filters[0].cesql", "out of range")
	f(sql("type"), "spec.filters[0].cesql", "not boolean")
	f(sql("'true'"), "spec.filters[0].cesql", "not boolean")
	f(sql("1 + 1"), "spec.filters[0].cesql", "not boolean")
	f(sql("-1"), "spec.filters[0].cesql", "not boolean")
	f(sql("2 * 2"), "spec.filters[0].cesql", "not boolean")
	f(sql("((LENGTH(subject)))"), "spec.filters[0].cesql", "not boolean")
	f(sql("NOSUCH(type)"), "spec.filters[0].cesql", "unknown")
	f(sql("TRUE OR LENGTH(type, id) = 1"), "spec.filters[0].cesql", "takes 1 argument, not 2")
	f(sql("SUBSTRING(type) = ''"), "spec.filters[0].cesql", "takes 2 arguments or 3 arguments, not 1")
	f(sql("KN_VERIFY_CORRELATION_ID('a', 'b', 'c', 'd', 1, 1)"), "spec.filters[0].cesql", "Secret")
	f(sql(`type LIKE 'a\\E.*'`), "spec.filters[0].cesql", "regular expression")
	f(sql(strings.Repeat(" ", cesql.MaxBytes)+"TRUE"), "spec.filters[0].cesql", "longer")

	if _, err := Compile(&Trigger{Spec: TriggerSpec{Filter: &Attributes{Attributes: map[string]string{"my-ext": "x"}}}}); err == nil {
		t.Error("a legacy filter with a wrong name is not refused")
	}
}

// Where the Kafka dispatcher throws the event away, nothing around the filter changes that.
func TestEventsThatAreThrownAway(t *testing.T) {
	bare := event.New()
	bare.SetID("1")
	bare.SetType("t")
	bare.SetSource("s")
	f := func(doc FilterDoc, want, wantThrown bool) {
		t.Helper()
		filter, err := Compile(trigger(doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := filter.Evaluate(bare)
		if got != want || (err != nil) != wantThrown || filter.Match(bare) != want {
			t.Errorf("%+v: got %v, %v", doc, got, err)
		}
	}
	f(prefix("subject", "x"), false, true)
	f(noneOf(prefix("subject", "x")), false, true)
	f(noneOf(noneOf(suffix("datacontenttype", "x"))), false, true)
	f(oneOf(prefix("subject", "x"), exact("id", "1")), false, true)
	f(oneOf(exact("id", "1"), prefix("subject", "x")), true, false) // decided before
	f(allOf(exact("id", "2"), prefix("subject", "x")), false, false)
	f(noneOf(exact("subject", "x")), true, false)
	f(noneOf(prefix("time", "x")), true, false)
	f(noneOf(prefix("dataschema", "x")), true, false)
	f(noneOf(suffix("nosuch", "x")), true, false)
	f(noneOf(sql("subject LIKE 'x'")), true, false)
}

// A Filter keeps no reference to the manifest that it was made from.
func TestCompileCopies(t *testing.T) {
	doc := exact("id", "1")
	filter, err := Compile(trigger(doc))
	if err != nil {
		t.Fatal(err)
	}
	doc.Exact["id"] = "2"
	if !filter.Match(telemetry()) {
		t.Error("the filter changed with the manifest")
	}
}

// Compiling and matching at once is what a dispatcher does when a folder
// is read again: the race detector watches.
func TestCompileConcurrently(t *testing.T) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				filter, err := Compile(trigger(sql("lorawanport > 5 AND NOT (subject LIKE 'x%' OR LENGTH(type) IN (1, 2))")))
				if err != nil || !filter.Match(telemetry()) {
					t.Errorf("compile: %v", err)
				}
			}
		})
	}
	group.Wait()
}

func FuzzCompileCESQL(f *testing.F) {
	for _, seed := range []string{
		"", "TRUE", "type = 'a'", "type LIKE \"%a_\\%\"", "NOT EXISTS x", "x IN (1, 'b', TRUE)", "-1 < +2", "ABS(-5) = 5",
		"SUBSTRING(subject, 1, 2) = 'te'", "LEFT(subject, -1) = ''", "1 / 0 = 1", "1 % 0 = 1", "((((TRUE))))", "(", "'", "\\", "\x00", "type ;",
		"a XOR b AND c OR d", "99999999999999", "-2147483648 / -1 = 1", "CONCAT_WS(',', type) <> 'a'", "x NOT IN (1) NOT LIKE 'x'", "é = 'é'",
	} {
		f.Add(seed)
	}
	e := telemetry()
	f.Fuzz(func(t *testing.T, expression string) {
		filter, err := Compile(trigger(sql(expression)))
		if err != nil {
			return
		}
		got, err := filter.Evaluate(e)
		if got && err != nil {
			t.Errorf("%q: matches and fails: %v", expression, err)
		}
	})
}
