package triggers

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goodTrigger and goodBroker have nothing to report; cases below replace a part.
const (
	goodDelivery = `{retry: 3, backoffPolicy: linear, backoffDelay: PT0.2S, timeout: PT5S, deadLetterSink: {uri: "http://dead/"}}`
	goodTrigger  = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: t}
spec:
  broker: app
  filters: [{exact: {type: io.drogue.event.v1}}]
  subscriber: {uri: "http://receiver/"}
  delivery: ` + goodDelivery + "\n"
	goodBroker = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: app
  annotations:
    eventing.knative.dev/broker.class: Kafka
    kafka.eventing.knative.dev/external.topic: events-app
spec:
  config: {apiVersion: v1, kind: ConfigMap, name: c}
  delivery: ` + goodDelivery + "\n"
)

// lintText is what Lint says of a file, as "rule path" lines.
func lintText(text string) []Finding {
	documents, err := Decode("f.yaml", strings.NewReader(text))
	return append(LintErrors(err), Lint(&Set{Documents: documents})...)
}

func TestLint(t *testing.T) {
	reported := map[string]map[Severity]bool{}
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for _, finding := range lintText(text) {
			if reported[finding.Rule] == nil {
				reported[finding.Rule] = map[Severity]bool{}
			}
			reported[finding.Rule][finding.Severity] = true
			got = append(got, strings.TrimSpace(string(finding.Severity)+" "+finding.Rule+" "+finding.Path))
			if finding.Message == "" || !strings.HasPrefix(finding.String(), "f.yaml: document ") {
				t.Errorf("finding without place or message: %v", finding)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", text, diff)
		}
	}
	trigger := func(old, new string) string {
		t.Helper()
		if !strings.Contains(goodTrigger, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(goodTrigger, old, new, 1)
	}
	broker := func(old, new string) string {
		t.Helper()
		if !strings.Contains(goodBroker, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(goodBroker, old, new, 1)
	}
	filters := func(list string) string { return trigger("[{exact: {type: io.drogue.event.v1}}]", list) }
	delivery := func(new string) string { return trigger(goodDelivery, new) }

	f(goodTrigger)
	f(goodBroker)
	f(goodBroker + "---" + goodTrigger)
	f("kind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata: {anything: goes}\n")

	f(trigger("broker: app", "brokr: app"), "error decode spec.brokr")
	f("kind: Trigger\napiVersion: eventing.knative.dev/v1beta1\n", "warning skipped-version apiVersion")
	f("kind: EventType\napiVersion: eventing.knative.dev/v1beta3\n")
	f("kind: Trigger\napiVersion: example.com/v1\n", "warning skipped-version apiVersion")
	f("kind: Triger\napiVersion: eventing.knative.dev/v1\n", "warning skipped-kind kind")
	f("kind: broker\napiVersion: eventing.knative.dev/v1\n", "warning skipped-kind kind")
	f("kind: Pump\napiVersion: example.com/v1\n", "warning skipped-kind kind")
	f(strings.Replace(goodTrigger, "broker: app", "broker: App", 1)+"---"+goodBroker, "warning broker-near spec.broker")
	f(strings.Replace(goodTrigger, "broker: app", "broker: other", 1) + "---" + goodBroker)
	f(trigger("{name: t}", "{namespace: ns}"), "error name metadata.name")
	f(trigger("{name: t}", "{generateName: t-}"))
	f(goodTrigger+"---"+trigger("{name: t}", "{name: t, namespace: default}"), "error duplicate-name metadata.name")
	f(goodTrigger + "---" + trigger("{name: t}", "{name: t, namespace: other}"))

	const class = "metadata.annotations[eventing.knative.dev/broker.class]"
	f(broker("class: Kafka", "class: kafka"), "error broker-class "+class)
	f(broker("class: Kafka", "class: mtchannelbasedbroker"), "error broker-class "+class)
	f(broker("class: Kafka", "class: Mine"), "warning broker-class "+class)
	f(broker("eventing.knative.dev/broker.class: Kafka", ""), "warning broker-class "+class)
	f(broker("class: Kafka", "class: MTChannelBasedBroker"))
	const topic = "warning broker-topic metadata.annotations[kafka.eventing.knative.dev/external.topic]"
	f(broker("kafka.eventing.knative.dev/external.topic: events-app", ""), topic)
	f(broker("events-app", "events-other"), topic)
	f(broker("  config: {apiVersion: v1, kind: ConfigMap, name: c}\n", ""), "warning broker-config spec.config")
	f(broker("kind: ConfigMap", "kind: Secret"), "error broker-config spec.config.kind")
	f(broker("  delivery: "+goodDelivery+"\n", ""), "warning broker-delivery spec.delivery")
	f(broker(goodDelivery, "{timeout: PT1S}"), "warning dead-letter-sink spec.delivery.deadLetterSink")
	f(broker(`{uri: "http://dead/"}`, "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: app}}"), "error reply-loop spec.delivery.deadLetterSink")

	f(trigger("  broker: app\n", ""), "error trigger-broker spec.broker")
	f(trigger("broker: app", "broker: app\n  brokerRef: {kind: Broker, name: app}"), "error trigger-broker spec.brokerRef")
	f(trigger("broker: app", "brokerRef: {kind: Broker, name: app}"), "error broker-ref spec.brokerRef")
	f(goodBroker+"---"+trigger("{name: t}", "{name: t, namespace: ns}"), "warning broker-namespace metadata.namespace")

	f(trigger("  filters:", "  filter: {attributes: {type: x}}\n  filters:"), "warning filter-both spec.filter")
	f(trigger("  filters: [{exact: {type: io.drogue.event.v1}}]", "  filter: {attributes: {type: x, subject: ''}}"), "warning filter-any-value spec.filter.attributes")
	f(filters("[{}]"), "error filter-invalid spec.filters[0]")
	f(filters("[{prefix: {type: ''}}]"), "error filter-invalid spec.filters[0].prefix.type")
	f(filters("[{any: [{cesql: 'type ='}]}]"), "error filter-invalid spec.filters[0].any[0].cesql")
	f(filters("[{cesql: 'LENGTH(type)'}]"), "error filter-boolean spec.filters[0].cesql")
	f(filters("[{exact: {type: a}}, {not: {cesql: urgent}}]"), "warning filter-boolean spec.filters[1].not.cesql", "warning filter-missing spec.filters[1].not.cesql")

	cesql := func(expression string) string {
		return filters("[{exact: {type: a}}, {cesql: " + strconv.Quote(expression) + "}]")
	}
	const at = " spec.filters[1].cesql"
	f(cesql("lorawanport > 5"), "warning filter-missing"+at)
	f(cesql("NOT (lorawanport > 5)"), "warning filter-missing"+at)
	f(cesql("EXISTS lorawanport OR lorawanport > 5"), "warning filter-missing"+at)
	f(cesql("EXISTS lorawanport AND lorawanport > 5"))
	f(cesql("EXISTS LoraWanPort AND lorawanport > 5"))
	f(cesql("NOT EXISTS lorawanport OR lorawanport > 5"))
	f(cesql("NOT (NOT EXISTS a OR NOT EXISTS b) AND a = b"))
	f(cesql("(EXISTS a AND TRUE) AND (EXISTS b OR a = 'x') AND a = 'y'"))
	f(cesql("(EXISTS a OR EXISTS b) AND a = 'y'"), "warning filter-missing"+at)
	f(cesql("(EXISTS a XOR TRUE) AND a = 'y'"), "warning filter-missing"+at)
	f(cesql("Type = 'x' AND device = 'y' AND subject LIKE 'z'"), "warning filter-case"+at)
	f(cesql("time = '2024-01-01T10:00:00Z'"), "warning filter-time"+at)
	f(cesql("'yesterday' != time"), "warning filter-time"+at)
	f(cesql("time = '2024-01-01T10:00Z'"))
	f(cesql("time > '2024'"), "warning filter-order"+at)
	f(cesql("time > '2024-01-01'"), "warning filter-order"+at)

	const loop = "warning reply-loop spec.filters"
	f(filters("[]"), loop)
	f(filters("[{exact: {subject: x}}]"), loop)
	f(filters("[{any: [{exact: {type: x}}, {exact: {subject: x}}]}]"), loop)
	f(filters(`[{cesql: "subject = 'type'"}]`), loop)
	f(filters("[{any: [{exact: {type: x}}, {suffix: {source: x}}]}]"))
	f(filters("[{all: [{exact: {type: x}}, {exact: {subject: x}}]}]"))
	f(filters("[{not: {exact: {type: reply}}}]"))
	f(filters(`[{cesql: "type = 'x'"}]`))
	f(trigger("  filters: [{exact: {type: io.drogue.event.v1}}]", "  filter: {attributes: {type: x}}"))
	f(trigger(`{uri: "http://receiver/"}`, "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: app}}"), "error reply-loop spec.subscriber")
	f(trigger(`{uri: "http://dead/"}`, "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: app}}"), "error reply-loop spec.delivery.deadLetterSink")

	subscriber := func(new string) string { return trigger(`{uri: "http://receiver/"}`, new) }
	f(subscriber("{}"), "error destination spec.subscriber")
	f(subscriber("{uri: /path}"), "error destination spec.subscriber.uri")
	f(subscriber("{uri: 'ftp://x/'}"), "error destination spec.subscriber.uri")
	f(subscriber("{uri: 'http://x\\x7f/'}"), "error destination spec.subscriber.uri")
	f(subscriber(`{uri: "http://%zz/"}`), "error destination spec.subscriber.uri")
	f(subscriber("{uri: 'http://user:pass@x/'}"), "warning destination spec.subscriber.uri")
	f(subscriber("{uri: 'http://x/', ref: {apiVersion: v1, kind: Service, name: s}}"), "error destination spec.subscriber.uri")
	f(subscriber("{uri: /path, ref: {apiVersion: v1, kind: Service, name: s}}"))
	f(subscriber("{ref: {kind: Service}}"), "error destination spec.subscriber.ref.name", "error destination spec.subscriber.ref.apiVersion")
	f(subscriber("{uri: 'https://example.com/'}"), "warning destination-https spec.subscriber.uri")
	f(subscriber("{uri: 'https://example.com/', CACerts: x}"))
	f(subscriber("{uri: 'https://s.ns.svc.cluster.local/'}"))

	f(trigger("  delivery: "+goodDelivery+"\n", ""), "warning trigger-delivery spec.delivery")
	f(delivery("{}"), "warning trigger-delivery spec.delivery", "warning dead-letter-sink spec.delivery.deadLetterSink", "warning delivery-timeout spec.delivery.timeout")
	f(trigger("retry: 3, ", ""), "warning trigger-delivery spec.delivery")
	f(trigger("retry: 3", "retry: -3"), "error delivery-invalid spec.delivery.retry")
	f(trigger("linear", "Linear"), "error delivery-invalid spec.delivery.backoffPolicy")
	f(trigger("retry: 3", "retry: 3, format: xml"), "error delivery-invalid spec.delivery.format", "warning delivery-ignored spec.delivery.format")
	f(trigger("retry: 3", "retry: 3, retryAfterMax: PT1S"), "warning delivery-ignored spec.delivery.retryAfterMax")
	f(broker("class: Kafka", "class: MTChannelBasedBroker") + "---" + trigger("retry: 3", "retry: 3, format: json, retryAfterMax: PT0S"))
	order := func(value string) string {
		return trigger("{name: t}", "{name: t, annotations: {kafka.eventing.knative.dev/delivery.order: "+value+"}}")
	}
	f(order("ordered"))
	f(order("Unordered"))
	f(order("sorted"), "error delivery-order metadata.annotations[kafka.eventing.knative.dev/delivery.order]")

	f(trigger("PT5S", "5s"), "error duration-invalid spec.delivery.timeout")
	f(trigger("PT5S", "PT0S"), "error duration-invalid spec.delivery.timeout")
	f(trigger("PT5S", "PT0.05S"), "error duration-invalid spec.delivery.timeout")
	f(trigger("PT0.2S", "-PT0.2S"), "error duration-invalid spec.delivery.backoffDelay")
	f(trigger("PT0.2S", "PT0.25S"), "warning duration-tenths spec.delivery.backoffDelay")
	f(trigger("PT0.2S", "PT0.05S"), "warning duration-tenths spec.delivery.backoffDelay", "warning delivery-no-delay spec.delivery.backoffDelay")
	f(trigger("PT0.2S", "PT0S"), "warning delivery-no-delay spec.delivery.backoffDelay")
	f(strings.Replace(trigger("PT0.2S", "PT0S"), "retry: 3", "retry: 0", 1))
	f(trigger("PT5S", "PT3600S"), "error duration-component spec.delivery.timeout")

	empty := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(empty, []byte("# nothing\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := LoadFiles(empty)
	if err != nil {
		t.Fatal(err)
	}
	if found := Lint(set); len(found) != 1 || found[0].Rule != ruleEmptyFile || found[0].File != empty {
		t.Errorf("a file without documents: %v", found)
	}
	reported[ruleEmptyFile] = map[Severity]bool{Warning: true}

	// Every rule was reported, and README.md says so with the severities seen.
	var want, got []string
	for _, rule := range allRules() {
		want = append(want, rule+" "+strings.Join(severities(reported[rule]), ", "))
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Rules")
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([a-z, ]+) \\| .{10,} \\|$").FindAllStringSubmatch(table, -1) {
		got = append(got, match[1]+" "+match[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md differs from what was reported (-reported +README)\n%s", diff)
	}
}

func severities(of map[Severity]bool) []string {
	var out []string
	for _, severity := range []Severity{Error, Warning} {
		if of[severity] {
			out = append(out, string(severity))
		}
	}
	return out
}

func TestExamplesAreClean(t *testing.T) {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	set, err := LoadFiles(files...)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range Lint(set) {
		t.Error(finding)
	}
	dialects := map[string]bool{}
	for _, trigger := range set.Triggers("example-app") {
		if _, err := PolicyFor(trigger, set.BrokerOf(trigger)); err != nil || set.BrokerOf(trigger) == nil {
			t.Errorf("%s: %v", trigger.Metadata.Name, err)
		}
		walk("", trigger.Spec.Filters, func(_ string, doc *FilterDoc) { dialects[doc.dialects()[0]] = true })
	}
	for _, want := range []string{"exact", "prefix", "suffix", "all", "any", "not", "cesql"} {
		if !dialects[want] {
			t.Errorf("no example has %s", want)
		}
	}
	if got := set.Applications(); !slices.Equal(got, []string{"example-app"}) {
		t.Errorf("applications: %v", got)
	}
}

// allRules are the ids of all rules of Lint, in the order of README.md.
func allRules() []string {
	return []string{
		ruleDecode, ruleEmptyFile, ruleSkippedKind, ruleSkippedVersion, ruleName, ruleDuplicateName,
		ruleBrokerClass, ruleBrokerTopic, ruleBrokerConfig, ruleBrokerDelivery,
		ruleTriggerBroker, ruleBrokerRef, ruleBrokerNamespace, ruleBrokerNear,
		ruleFilterBoth, ruleFilterInvalid, ruleFilterAnyValue, ruleFilterBoolean,
		ruleFilterMissing, ruleFilterCase, ruleFilterTime, ruleFilterOrder, ruleReplyLoop,
		ruleDestination, ruleDestinationHTTPS,
		ruleTriggerDelivery, ruleDeadLetterSink, ruleDeliveryTimeout, ruleDeliveryInvalid, ruleDeliveryNoDelay, ruleDeliveryOrder, ruleDeliveryIgnored,
		ruleDurationInvalid, ruleDurationTenths, ruleDurationComponent,
	}
}
