package triggers

import (
	"slices"
	"strings"
)

// otherBrokerClasses are the classes of Brokers that are known besides Kafka.
func otherBrokerClasses() []string {
	return []string{"KafkaNamespaced", "MTChannelBasedBroker", "RabbitMQBroker"}
}

func (l *linter) broker(b *Broker) {
	l.brokerClass(b)
	if kafka(b) {
		l.brokerTopic(b)
		l.brokerConfig(b)
	}
	if b.Spec.Delivery == nil {
		l.report(Warning, ruleBrokerDelivery, "spec.delivery",
			"missing: Triggers without delivery of their own get %d retries from 0.2 s, exponential, some 400 s in which an ordered partition waits, and then lose the event", DefaultRetries)
		return
	}
	l.delivery(b.Spec.Delivery, kafka(b))
	l.deadLetterLoop(b.Spec.Delivery.DeadLetterSink, b.Metadata.Name)
}

func (l *linter) brokerClass(b *Broker) {
	path := "metadata.annotations[" + AnnotationBrokerClass + "]"
	class := b.Class()
	known := append(otherBrokerClasses(), BrokerClassKafka)
	switch {
	case class == "":
		l.report(Warning, ruleBrokerClass, path, "missing: the cluster's default decides, which need not be %s", BrokerClassKafka)
	case slices.Contains(known, class):
	case slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, class) }):
		l.report(Error, ruleBrokerClass, path, "%.40q is not spelt as any controller expects, so nothing will happen; for instance %q", class, BrokerClassKafka)
	default:
		l.report(Warning, ruleBrokerClass, path, "%.40q is not a class that is known here; for events of devices it has to be %q", class, BrokerClassKafka)
	}
}

func (l *linter) brokerTopic(b *Broker) {
	path := "metadata.annotations[" + AnnotationExternalTopic + "]"
	switch topic, want := b.ExternalTopic(), "events-"+b.Metadata.Name; {
	case topic == "":
		l.report(Warning, ruleBrokerTopic, path, "missing: the Broker makes a topic of its own, to which no device's message is written; for application %q it is %q", b.Metadata.Name, want)
	case topic != want:
		l.report(Warning, ruleBrokerTopic, path, "%.80q is not the topic of an application with the Broker's name, which is %q", topic, want)
	}
}

func (l *linter) brokerConfig(b *Broker) {
	switch config := b.Spec.Config; {
	case config == nil:
		l.report(Warning, ruleBrokerConfig, "spec.config", "missing: the cluster's default decides where Kafka is; name the ConfigMap")
	case config.Kind != "ConfigMap":
		l.report(Error, ruleBrokerConfig, "spec.config.kind", "class %s reads a ConfigMap, not a %.40q", BrokerClassKafka, config.Kind)
	}
}
