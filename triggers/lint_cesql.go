package triggers

import (
	"strings"

	"github.com/fairlead/fairlead/triggers/cesql"
)

// cesql reports what an expression means on a cluster other than its author will have thought.
func (l *linter) cesql(path string, doc *FilterDoc) {
	if doc.CESQL == "" {
		return
	}
	expression, err := cesql.Parse(doc.CESQL)
	if err != nil {
		return // reported already
	}
	path += ".cesql"
	if expression.Type() == cesql.Any {
		l.report(Warning, ruleFilterBoolean, path, "boolean only if the attribute is, and in Kafka every attribute is a text: compare it with something")
	}
	for _, name := range expression.Unguarded(everyEventHas) {
		if name != strings.ToLower(name) {
			l.report(Warning, ruleFilterCase, path, "%.40q is always missing: outside EXISTS names are taken as they are written, and those of attributes are in lower case; write %s", name, strings.ToLower(name))
			continue
		}
		l.report(Warning, ruleFilterMissing, path, "an event may have no %.40s, and then comparisons of it are false, NOT of them true, and LIKE, IN and functions take it as the text or boolean false: write EXISTS %s AND …", name, name)
	}
	l.times(path, expression)
	if expression.OrdersTexts() {
		l.report(Warning, ruleFilterOrder, path, "<, <=, > and >= compare integers, and a text that is none counts as 0: compare a number, or use LIKE")
	}
}

// times reports texts that no time is equal to.
func (l *linter) times(path string, expression *cesql.Expression) {
	for _, text := range expression.ComparedTexts()["time"] {
		t, err := parseTime(text)
		switch {
		case err != nil:
			l.report(Warning, ruleFilterTime, path, "%.40q is no time, so that no event's time is equal to it", text)
		case sqlTime(t) != text:
			l.report(Warning, ruleFilterTime, path, "no event's time is equal to %.40q: CESQL writes it %q", text, sqlTime(t))
		}
	}
}

// everyEventHas tells whether every event that a device sends has an attribute.
func everyEventHas(name string) bool {
	switch name {
	case "id", "source", "type", "specversion", "subject", "time", "instance", "application", "applicationuid", "device", "deviceuid",
		"sender", "senderuid", "partitionkey", "knativekafkapartition", "knativekafkaoffset":
		return true
	}
	return false
}
