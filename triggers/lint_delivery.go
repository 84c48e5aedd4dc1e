package triggers

import (
	"net/url"
	"strings"
)

// delivery checks a delivery spec of a Broker or Trigger.
func (l *linter) delivery(d *Delivery, kafka bool) {
	if d.DeadLetterSink == nil {
		l.report(Warning, ruleDeadLetterSink, "spec.delivery.deadLetterSink", "missing: an event that cannot be delivered is lost")
	} else {
		l.destination("spec.delivery.deadLetterSink", d.DeadLetterSink)
	}
	if d.Timeout == nil {
		l.report(Warning, ruleDeliveryTimeout, "spec.delivery.timeout", "missing: an attempt may take %s", DefaultTimeout)
	}
	if d.Retry != nil && *d.Retry < 0 {
		l.report(Error, ruleDeliveryInvalid, "spec.delivery.retry", "%d is negative", *d.Retry)
	}
	if p := d.BackoffPolicy; p != nil && *p != BackoffExponential && *p != BackoffLinear {
		l.report(Error, ruleDeliveryInvalid, "spec.delivery.backoffPolicy", "%.40q is neither %s nor %s", *p, BackoffLinear, BackoffExponential)
	}
	if f := d.Format; f != nil && *f != "json" && *f != "binary" {
		l.report(Error, ruleDeliveryInvalid, "spec.delivery.format", "%.40q is neither json nor binary", *f)
	}
	l.duration("spec.delivery.timeout", d.Timeout, false)
	l.duration("spec.delivery.backoffDelay", d.BackoffDelay, true)
	l.duration("spec.delivery.retryAfterMax", d.RetryAfterMax, true)
	if !kafka {
		return
	}
	if d.Retry != nil && *d.Retry > 0 && d.BackoffDelay != nil {
		if delay, err := ParseDuration(*d.BackoffDelay); err == nil && delay == 0 {
			l.report(Warning, ruleDeliveryNoDelay, "spec.delivery.backoffDelay", "is nothing, and then a Broker of class %s tries nothing again, and its dead letters do not say why: write PT0.1S", BrokerClassKafka)
		}
	}
	if d.RetryAfterMax != nil {
		l.report(Warning, ruleDeliveryIgnored, "spec.delivery.retryAfterMax", "a Broker of class %s ignores it", BrokerClassKafka)
	}
	if d.Format != nil {
		l.report(Warning, ruleDeliveryIgnored, "spec.delivery.format", "a Broker of class %s ignores it and delivers in binary mode", BrokerClassKafka)
	}
}

func (l *linter) duration(path string, text *string, zeroAllowed bool) {
	if text == nil {
		return
	}
	d, err := parseDuration(*text)
	switch {
	case err != nil:
		l.report(Error, ruleDurationInvalid, path, "%v", err)
	case d.tooLong:
		l.report(Error, ruleDurationComponent, path, "%.40q has a component above 3276.7, which the webhook accepts and the Kafka controller cannot hold: use a larger unit, such as PT1H for PT3600S", *text)
	case d.value == 0 && !zeroAllowed:
		l.report(Error, ruleDurationInvalid, path, "%.40q counts as nothing", *text)
	case d.inexact:
		l.report(Warning, ruleDurationTenths, path, "%.40q is cut off after tenths of a second: it counts as %s", *text, d.value)
	}
}

// destination checks a subscriber or dead letter sink.
func (l *linter) destination(path string, d *Destination) {
	if d.Ref != nil {
		l.reference(path, d)
	}
	if d.URI == "" {
		if d.Ref == nil {
			l.report(Error, ruleDestination, path, "neither ref nor uri is set")
		}
		return
	}
	target, err := url.Parse(d.URI)
	switch {
	case err != nil:
		l.report(Error, ruleDestination, path+".uri", "not a URI")
	case d.Ref != nil && target.IsAbs():
		l.report(Error, ruleDestination, path+".uri", "beside ref it has to be relative")
	case d.Ref != nil:
	case target.Host == "" || (target.Scheme != "http" && target.Scheme != "https"):
		l.report(Error, ruleDestination, path+".uri", "want an absolute URI with http or https")
	case target.User != nil:
		l.report(Warning, ruleDestination, path+".uri", "holds credentials, which the Kafka dispatcher does not send, but writes into dead letters: leave them out; functions/push delivers with credentials from a Secret")
	case target.Scheme == "https" && d.CACerts == "" && !strings.HasSuffix(target.Hostname(), ".svc.cluster.local"):
		l.report(Warning, ruleDestinationHTTPS, path+".uri", "the Kafka dispatcher trusts no public certificate, only those in CACerts or in the cluster's trust bundles: deliver through functions/push")
	}
}

func (l *linter) reference(path string, d *Destination) {
	missing := func(value, field string) {
		if value == "" {
			l.report(Error, ruleDestination, path+".ref."+field, "missing")
		}
	}
	missing(d.Ref.Kind, "kind")
	missing(d.Ref.Name, "name")
	missing(d.Ref.APIVersion+d.Ref.Group, "apiVersion")
}
