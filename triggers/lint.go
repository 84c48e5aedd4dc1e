package triggers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Severity says whether a finding keeps a manifest from working.
type Severity string

// Severities.
const (
	Error   Severity = "error"   // it will not do what it says
	Warning Severity = "warning" // it may not do what its author thinks
)

// A Finding is something wrong or doubtful in a manifest.
type Finding struct {
	File     string   `json:"file"`
	Document int      `json:"document"`       // from 1; 0: the file as a whole
	Item     int      `json:"item,omitempty"` // of a List, from 1
	Path     string   `json:"path,omitempty"` // of the field, e.g. spec.delivery.timeout
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"` // one of Rules
	Message  string   `json:"message"`
}

// String is one line for a terminal.
func (f Finding) String() string {
	e := DocumentError{
		File: f.File, Document: f.Document, Item: f.Item, Path: f.Path,
		Err: fmt.Errorf("%s: %s (%s)", f.Severity, f.Message, f.Rule),
	}
	return e.Error()
}

// Lint checks the Brokers and Triggers of a Set for what Knative accepts and
// then does not do, or does otherwise than its author will have thought.
// Findings come in the order of the documents.
func Lint(s *Set) []Finding {
	l := linter{set: s, seen: map[string]bool{}}
	for _, name := range s.Empty {
		l.document = &Document{File: name}
		l.report(Warning, ruleEmptyFile, "", "holds no document")
	}
	for i := range s.Documents {
		l.document = &s.Documents[i]
		switch {
		case l.document.Broker != nil:
			l.name(&l.document.Broker.Metadata)
			l.broker(l.document.Broker)
		case l.document.Trigger != nil:
			l.name(&l.document.Trigger.Metadata)
			l.trigger(l.document.Trigger)
		case l.document.Skipped != "":
			l.skipped()
		}
	}
	return l.findings
}

// LintErrors turns what Decode, LoadFiles or LoadDir could not read into findings
// of the rule decode.
func LintErrors(err error) []Finding {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []Finding
		for _, err := range joined.Unwrap() {
			out = append(out, LintErrors(err)...)
		}
		return out
	}
	var where *DocumentError
	if !errors.As(err, &where) {
		where = &DocumentError{Err: err}
	}
	return []Finding{{
		File: where.File, Document: where.Document, Item: where.Item, Path: where.Path,
		Severity: Error, Rule: ruleDecode, Message: where.Err.Error(),
	}}
}

// A linter gathers findings, one document after the other.
type linter struct {
	set      *Set
	document *Document
	seen     map[string]bool // kind, namespace and name
	findings []Finding
}

func (l *linter) report(severity Severity, rule, path, format string, arguments ...any) {
	l.findings = append(l.findings, Finding{
		File: l.document.File, Document: l.document.Number, Item: l.document.Item,
		Path: path, Severity: severity, Rule: rule, Message: fmt.Sprintf(format, arguments...),
	})
}

// skipped tells of a Broker or Trigger of another version or group, and of kinds that nobody knows. Other objects
// of a cluster, which may stand beside Triggers, are nobody's business here.
func (l *linter) skipped() {
	kind := l.document.Kind
	switch {
	case (kind == KindBroker || kind == KindTrigger) && strings.HasPrefix(l.document.APIVersion, apiGroup+"/"):
		l.report(Warning, ruleSkippedVersion, "apiVersion", "%s", l.document.Skipped)
	case kind == KindBroker || kind == KindTrigger:
		l.report(Warning, ruleSkippedVersion, "apiVersion", "%.60q is not %s, so the %s is not read", l.document.APIVersion, APIVersion, kind)
	case slices.Contains(otherKinds(), kind):
	default:
		hint := ""
		if known := registry.Nearest(kind, append([]string{KindTrigger, KindBroker}, otherKinds()...)); known != "" {
			hint = ": did you mean " + known + "?"
		}
		l.report(Warning, ruleSkippedKind, "kind", "%.40q is not known here and was not read%s", kind, hint)
	}
}

// otherKinds are objects that stand beside Brokers and Triggers in files.
func otherKinds() []string {
	return []string{
		"ApiServerSource", "Channel", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Configuration", "ContainerSource", "CronJob",
		"CustomResourceDefinition", "DaemonSet", "Deployment", "EventPolicy", "EventTransform", "EventType", "HorizontalPodAutoscaler",
		"Ingress", "InMemoryChannel", "IntegrationSink", "IntegrationSource", "Job", "JobSink", "Kafka", "KafkaChannel", "KafkaSink",
		"KafkaSource", "KafkaTopic", "KafkaUser", "LimitRange", "Namespace", "NetworkPolicy", "Parallel", "PersistentVolume",
		"PersistentVolumeClaim", "PingSource", "Pod", "PodDisruptionBudget", "RequestReply", "ResourceQuota", "Revision", "Role",
		"RoleBinding", "Route", "Secret", "Sequence", "Service", "ServiceAccount", "ServiceMonitor", "SinkBinding", "StatefulSet",
		"StorageClass", "Subscription",
	}
}

func (l *linter) name(m *Metadata) {
	if m.Name == "" {
		if m.GenerateName == "" {
			l.report(Error, ruleName, "metadata.name", "missing")
		}
		return
	}
	key := l.document.Kind + " " + m.namespace() + "/" + m.Name
	if l.seen[key] {
		l.report(Error, ruleDuplicateName, "metadata.name", "a second %s: the later one overwrites the earlier", key)
	}
	l.seen[key] = true
}

// kafka tells whether a Broker has, or may have, class Kafka.
func kafka(b *Broker) bool {
	return b == nil || b.Class() == "" || strings.EqualFold(b.Class(), BrokerClassKafka)
}
