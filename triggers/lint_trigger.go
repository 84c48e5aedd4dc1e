package triggers

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/triggers/cesql"
)

func (l *linter) trigger(t *Trigger) {
	broker := l.set.BrokerOf(t)
	l.triggerBroker(t, broker)
	l.filter(t)
	l.destination("spec.subscriber", &t.Spec.Subscriber)
	if refersTo(&t.Spec.Subscriber, t.Spec.Broker) {
		l.report(Error, ruleReplyLoop, "spec.subscriber", "is the Broker itself: every event comes back for ever")
	}
	if _, err := parseOrder(t.Metadata.Annotations); err != nil {
		l.report(Error, ruleDeliveryOrder, "metadata.annotations["+AnnotationDeliveryOrder+"]",
			"%.40q is neither ordered nor unordered", t.Metadata.Annotations[AnnotationDeliveryOrder])
	}
	l.triggerDelivery(t, broker)
}

func (l *linter) triggerBroker(t *Trigger, broker *Broker) {
	switch {
	case t.Spec.Broker == "" && t.Spec.BrokerRef == nil:
		l.report(Error, ruleTriggerBroker, "spec.broker", "missing")
	case t.Spec.Broker != "" && t.Spec.BrokerRef != nil:
		l.report(Error, ruleTriggerBroker, "spec.brokerRef", "broker and brokerRef are both set")
	case t.Spec.BrokerRef != nil:
		l.report(Error, ruleBrokerRef, "spec.brokerRef", "a Broker of class %s does not read it, so the Trigger would get nothing: use spec.broker", BrokerClassKafka)
	case broker == nil && !l.hasBroker(t.Spec.Broker):
		l.brokerNear(t.Spec.Broker)
	case broker == nil:
		l.report(Warning, ruleBrokerNamespace, "metadata.namespace", "Broker %q is in another namespace; a Trigger reads from the Broker in its own", t.Spec.Broker)
	}
}

// brokerNear reports a name that nearly is that of a Broker.
func (l *linter) brokerNear(name string) {
	var known []string
	for i := range l.set.Documents {
		if b := l.set.Documents[i].Broker; b != nil {
			known = append(known, b.Metadata.Name)
		}
	}
	if meant := registry.Nearest(name, known); meant != "" {
		l.report(Warning, ruleBrokerNear, "spec.broker", "there is no Broker %.60q here: did you mean %.60q?", name, meant)
	}
}

func (l *linter) hasBroker(name string) bool {
	for i := range l.set.Documents {
		if b := l.set.Documents[i].Broker; b != nil && b.Metadata.Name == name {
			return true
		}
	}
	return false
}

func (l *linter) filter(t *Trigger) {
	legacy := t.Spec.Filter != nil && len(t.Spec.Filter.Attributes) > 0
	if legacy && len(t.Spec.Filters) > 0 {
		l.report(Warning, ruleFilterBoth, "spec.filter", "filters is set too, and then filter is ignored")
	} else if legacy {
		for _, name := range slices.Sorted(maps.Keys(t.Spec.Filter.Attributes)) {
			if t.Spec.Filter.Attributes[name] == "" {
				l.report(Warning, ruleFilterAnyValue, "spec.filter.attributes", "%.40q has an empty value: that means any value but none, yet a Broker of class %s takes events without the attribute too; use filters with cesql EXISTS", name, BrokerClassKafka)
			}
		}
	}
	if _, err := Compile(t); err != nil {
		l.filterError(err)
		return
	}
	walk("spec.filters", t.Spec.Filters, l.cesql)
	if !guarded(t) {
		l.report(Warning, ruleReplyLoop, "spec.filters", "nothing restricts type or source: what the subscriber replies goes back into the topic and to the subscriber again; filter by type")
	}
}

func (l *linter) filterError(err error) {
	rule, path := ruleFilterInvalid, "spec.filters"
	var where *FilterError
	if errors.As(err, &where) {
		path, err = where.Path, where.Err
	}
	if errors.Is(err, ErrNotBoolean) {
		rule = ruleFilterBoolean
	}
	l.report(Error, rule, path, "%v", err)
}

func (l *linter) triggerDelivery(t *Trigger, broker *Broker) {
	d := t.Spec.Delivery
	if d == nil {
		l.report(Warning, ruleTriggerDelivery, "spec.delivery", "missing: the Broker's applies, and an update of the Broker changes this Trigger; write retry, backoffPolicy, backoffDelay, timeout and deadLetterSink")
		return
	}
	var missing []string
	for _, field := range []struct {
		name string
		set  bool
	}{{"retry", d.Retry != nil}, {"backoffPolicy", d.BackoffPolicy != nil}, {"backoffDelay", d.BackoffDelay != nil}} {
		if !field.set {
			missing = append(missing, field.name)
		}
	}
	if len(missing) > 0 {
		l.report(Warning, ruleTriggerDelivery, "spec.delivery", "it replaces the Broker's as a whole, but has no %s", strings.Join(missing, ", no "))
	}
	l.delivery(d, kafka(broker))
	l.deadLetterLoop(d.DeadLetterSink, t.Spec.Broker)
}

// deadLetterLoop reports a dead letter sink that is the Broker itself.
func (l *linter) deadLetterLoop(sink *Destination, broker string) {
	if sink != nil && refersTo(sink, broker) {
		l.report(Error, ruleReplyLoop, "spec.delivery.deadLetterSink", "is the Broker itself: an event that fails comes back for ever")
	}
}

func refersTo(d *Destination, broker string) bool {
	return d.Ref != nil && d.Ref.Kind == KindBroker && d.Ref.Name == broker && broker != ""
}

// walk visits every filter of a list and those below it.
func walk(path string, docs []FilterDoc, visit func(path string, doc *FilterDoc)) {
	for i := range docs {
		walkOne(path+"["+strconv.Itoa(i)+"]", &docs[i], visit)
	}
}

func walkOne(path string, doc *FilterDoc, visit func(path string, doc *FilterDoc)) {
	visit(path, doc)
	walk(path+".all", doc.All, visit)
	walk(path+".any", doc.Any, visit)
	if doc.Not != nil {
		walkOne(path+".not", doc.Not, visit)
	}
}

// guarded tells whether a Trigger's filter says something of type or source,
// which is what keeps replies from coming back.
func guarded(t *Trigger) bool {
	if len(t.Spec.Filters) == 0 {
		return t.Spec.Filter != nil && (t.Spec.Filter.Attributes["type"] != "" || t.Spec.Filter.Attributes["source"] != "")
	}
	for i := range t.Spec.Filters {
		if guards(&t.Spec.Filters[i]) {
			return true
		}
	}
	return false
}

// guards tells whether one filter does: all if one of its filters does, any if each.
func guards(doc *FilterDoc) bool {
	for _, attributes := range []map[string]string{doc.Exact, doc.Prefix, doc.Suffix} {
		if attributes["type"] != "" || attributes["source"] != "" {
			return true
		}
	}
	for i := range doc.All {
		if guards(&doc.All[i]) {
			return true
		}
	}
	for i := range doc.Any {
		if !guards(&doc.Any[i]) {
			return false
		}
	}
	if len(doc.Any) > 0 {
		return true
	}
	if doc.Not != nil {
		return guards(doc.Not)
	}
	expression, err := cesql.Parse(doc.CESQL)
	if err != nil || doc.CESQL == "" {
		return false
	}
	read := expression.Attributes()
	return slices.Contains(read, "type") || slices.Contains(read, "source")
}
