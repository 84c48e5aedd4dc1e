package triggers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summary is what a test wants to know of a Document.
func summary(d Document) string {
	read := "skipped"
	switch {
	case d.Trigger != nil:
		read = "trigger " + d.Trigger.Spec.Broker
	case d.Broker != nil:
		read = "broker " + d.Broker.Class()
	}
	return fmt.Sprintf("%d.%d %s %s: %s", d.Number, d.Item, d.Kind, d.Name, read)
}

func TestDecode(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		documents, err := Decode("f", strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, document := range documents {
			got = append(got, summary(document))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", text, diff)
		}
	}
	const trigger = `{"apiVersion":"eventing.knative.dev/v1","kind":"Trigger","metadata":{"name":"t"},"spec":{"broker":"app","subscriber":{"uri":"http://x/"}}}`
	f("")
	f("# nothing\n")
	f("---\n---\n")
	f(goodTrigger, "1.0 Trigger t: trigger app")
	f(goodBroker, "1.0 Broker app: broker Kafka")
	f(goodBroker+"---"+goodTrigger, "1.0 Broker app: broker Kafka", "2.0 Trigger t: trigger app")
	f("---\n---\n"+goodTrigger+"...\n", "2.0 Trigger t: trigger app")
	f(trigger, "1.0 Trigger t: trigger app")
	f(" \t\n"+trigger+"\n\t"+trigger, "1.0 Trigger t: trigger app", "2.0 Trigger t: trigger app")
	f("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nanything: [1, 2]\n", "1.0 Secret s: skipped")
	f("apiVersion: eventing.knative.dev/v1beta1\nkind: Broker\n", "1.0 Broker : skipped")
	f("apiVersion: other.dev/v1\nkind: Trigger\nspec: {whatever: 1}\n", "1.0 Trigger : skipped")
	f(`{"apiVersion":"v1","kind":"List","items":[`+trigger+`,{"apiVersion":"v1","kind":"Pod"}]}`, "1.1 Trigger t: trigger app", "1.2 Pod : skipped")
	f(`{"apiVersion":"eventing.knative.dev/v1","kind":"TriggerList","items":[`+trigger+`]}`, "1.1 Trigger t: trigger app")
	f("apiVersion: v1\nkind: List\n")
	// As kubectl prints it.
	f(`
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: t
  uid: 8d2d3a2e
  resourceVersion: "1"
  generation: 1
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: [a]
  ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u}]
  managedFields: [{manager: kubectl}]
spec: {broker: app, subscriber: {uri: "http://x/"}}
status: {conditions: [{type: Ready}]}
`, "1.0 Trigger t: trigger app")
}

func TestDecodeKeepsEveryField(t *testing.T) {
	documents, err := Decode("f", strings.NewReader(`
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: t, namespace: ns, labels: {a: b}, annotations: {c: d}}
spec:
  broker: app
  filter: {attributes: {type: x}}
  filters:
    - all: [{any: [{not: {exact: {a: b}}}, {prefix: {c: d}}]}, {suffix: {e: f}}, {cesql: "TRUE"}]
  subscriber:
    ref: {apiVersion: v1, kind: Service, name: s, namespace: ns, group: g, address: a}
    uri: /path
    CACerts: pem
    audience: me
  delivery:
    deadLetterSink: {uri: "http://dead/"}
    retry: 1
    timeout: PT1S
    backoffPolicy: linear
    backoffDelay: PT2S
    retryAfterMax: PT3S
    format: json
`))
	if err != nil {
		t.Fatal(err)
	}
	retry, text := int32(1), func(s string) *string { return &s }
	want := &Trigger{
		APIVersion: APIVersion, Kind: KindTrigger,
		Metadata: Metadata{Name: "t", Namespace: "ns", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}},
		Spec: TriggerSpec{
			Broker: "app",
			Filter: &Attributes{Attributes: map[string]string{"type": "x"}},
			Filters: []FilterDoc{allOf(
				oneOf(noneOf(exact("a", "b")), prefix("c", "d")), suffix("e", "f"), sql("TRUE"),
			)},
			Subscriber: Destination{
				Ref: &Reference{APIVersion: "v1", Kind: "Service", Name: "s", Namespace: "ns", Group: "g", Address: "a"},
				URI: "/path", CACerts: "pem", Audience: "me",
			},
			Delivery: &Delivery{
				DeadLetterSink: &Destination{URI: "http://dead/"}, Retry: &retry, Timeout: text("PT1S"), BackoffPolicy: text("linear"),
				BackoffDelay: text("PT2S"), RetryAfterMax: text("PT3S"), Format: text("json"),
			},
		},
	}
	if diff := cmp.Diff(want, documents[0].Trigger); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := Decode("f", strings.NewReader(text))
		var got []string
		for _, finding := range LintErrors(err) {
			got = append(got, fmt.Sprintf("%d.%d %s: %s", finding.Document, finding.Item, finding.Path, finding.Message))
		}
		if len(got) != len(want) {
			t.Errorf("%.200s: got %q, want %q", text, got, want)
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%.200s: got %q, want %q…", text, got[i], want[i])
			}
		}
	}
	edit := func(old, new string) string { return strings.Replace(goodTrigger, old, new, 1) }
	f(edit("exact", "exct"), "1.0 spec.filters[0].exct: unknown field")
	f(edit("broker:", "Broker:"), "1.0 spec.Broker: unknown field")
	f(edit("retry: 3", "retries: 3, retry: 3, timeuot: PT1S"), "1.0 spec.delivery.retries: unknown field", "1.0 spec.delivery.timeuot: unknown field")
	f(edit("name: t", "nmae: t"), "1.0 metadata.nmae: unknown field")
	f(edit("retry: 3", "retry: three"), "1.0 spec.delivery.retry: is a string, want int32")
	f(edit("retry: 3", "retry: 3.5"), "1.0 spec.delivery.retry: is a number 3.5, want int32")
	f(edit("type: io.drogue.event.v1", "type: 1"), "1.0 spec.filters.exact: is a number, want string")
	f(edit("broker: app", "broker: app\n  broker: b"), "1.0 : yaml: unmarshal errors:\n  line 7: key \"broker\" already set in map")
	f(edit("broker: app", "5: app"), "1.0 spec: key \"5\" is not a text")
	f(edit("broker: app", "broker: app\n  broker: b")+"---"+edit("exact", "exct"), "1.0 ")
	f(goodTrigger+"---\n"+edit("exact", "exct")+"---\n"+edit("exact", "axact"), "2.0 spec.filters[0].exct", "3.0 spec.filters[0].axact")
	f(`{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","spec":{},"spec":{}}`, "1.0 spec: duplicate field")
	f(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","sepc":{}},7]}`, "1.1 sepc: unknown field", "1.2 : is a number")
	f(`{"apiVersion":`, "1.0 : unexpected EOF")
	f("{}", "1.0 : apiVersion and kind are both needed")
	f("{kind: Trigger}", "1.0 : invalid character")
	f("kind: Trigger\n", "1.0 : apiVersion and kind are both needed")
	f("- 1\n", "1.0 : is a array")
	f("just text\n", "1.0 : is a string")
	f("a: [\n", "1.0 : yaml: ")
	f("\tkind: x\n", "1.0 : yaml: ")
	f(strings.Repeat("#", MaxFileBytes+1), "0.0 : larger than 1048576 bytes")
	f(strings.Repeat("---\napiVersion: v1\nkind: Pod\n", MaxDocuments+1), "1001.0 : more than 1000 documents")
	f("apiVersion: v1\nkind: List\nitems: ["+strings.Repeat("{apiVersion: v1, kind: Pod}, ", MaxDocuments+1)+"]", "1.0 : more than 1000 documents")
	f("a: &a "+strings.Repeat("x", 1000)+"\nb: ["+strings.Repeat("*a,", 5000)+"]", "1.0 b[")
}

func TestDocumentError(t *testing.T) {
	_, err := Decode("folder/f.yaml", strings.NewReader(goodBroker+"---"+strings.Replace(goodTrigger, "exact", "exct", 1)))
	var where *DocumentError
	if !errors.As(err, &where) {
		t.Fatal(err)
	}
	if got, want := where.Error(), "folder/f.yaml: document 2: spec.filters[0].exct: unknown field"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	if set, err := LoadFiles(); err != nil || len(set.Documents) != 0 {
		t.Errorf("no files: %v, %v", set, err)
	}
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files := []string{
		write("a.yaml", goodBroker+"---"+goodTrigger),
		write("b.yml", strings.Replace(goodTrigger, "name: t", "name: second", 1)),
		write("c.json", `{"apiVersion":"eventing.knative.dev/v1","kind":"Trigger","metadata":{"name":"third"},"spec":{"broker":"other","subscriber":{}}}`),
	}
	set, err := LoadFiles(files...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, document := range set.Documents {
		names = append(names, filepath.Base(document.File)+" "+document.Name)
	}
	if diff := cmp.Diff([]string{"a.yaml app", "a.yaml t", "b.yml second", "c.json third"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := set.Triggers("app"); len(got) != 2 || got[0].Metadata.Name != "t" || set.BrokerOf(got[1]).Metadata.Name != "app" {
		t.Errorf("Triggers of app: %v", got)
	}
	if got := set.Triggers(""); got != nil {
		t.Errorf("Triggers of nobody: %v", got)
	}
	if got := set.Triggers("other"); len(got) != 1 || set.BrokerOf(got[0]) != nil {
		t.Errorf("Triggers of other: %v", got)
	}
	if diff := cmp.Diff([]string{"app", "other"}, set.Applications()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	set, err = LoadFiles(append(files, write("broken.yaml", "a: ["))...)
	if err == nil || set == nil || len(set.Documents) != 4 || len(LintErrors(err)) != 1 {
		t.Errorf("one broken file: %v, %v", set, err)
	}
	if _, err := LoadFiles(filepath.Join(dir, "nosuch.yaml")); LintErrors(err)[0].Document != 0 {
		t.Errorf("a file that does not exist: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		goodTrigger, goodBroker, goodBroker + "---" + goodTrigger, "---\n", "{", "[]", "a: &a [*a]", "<<: {a: b}", "? {a: b}\n: c", "!!binary x",
		`{"apiVersion":"v1","kind":"List","items":[{}, null, 1]}`, "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nspec: null\n",
		"a: 1e400\nb: .nan\nc: 0x10\nd: 2026-01-01\n", "%YAML 9", "\xff\xfe", "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nspec: {filters: [{not: {not: {not: {}}}}]}\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		documents, err := Decode("f", strings.NewReader(text))
		for _, finding := range LintErrors(err) {
			if finding.File != "f" {
				t.Errorf("an error without a place: %v", finding)
			}
		}
		for _, finding := range Lint(&Set{Documents: documents}) {
			if finding.Message == "" || finding.Document == 0 {
				t.Errorf("a finding without message or place: %v", finding)
			}
		}
		for _, document := range documents {
			if document.Trigger == nil {
				continue
			}
			if filter, err := Compile(document.Trigger); err == nil {
				filter.Match(telemetry())
			}
			if policy, err := PolicyFor(document.Trigger, nil); err == nil && (policy.Backoff(40) < 0 || policy.Timeout <= 0) {
				t.Errorf("a policy out of bounds: %+v", policy)
			}
		}
	})
}
