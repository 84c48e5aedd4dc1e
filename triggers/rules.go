package triggers

// Rules of Lint. README.md has a line for each, and a test compares the two.
const (
	ruleDecode            = "decode"
	ruleEmptyFile         = "empty-file"
	ruleSkippedKind       = "skipped-kind"
	ruleSkippedVersion    = "skipped-version"
	ruleName              = "name"
	ruleDuplicateName     = "duplicate-name"
	ruleBrokerClass       = "broker-class"
	ruleBrokerTopic       = "broker-topic"
	ruleBrokerConfig      = "broker-config"
	ruleBrokerDelivery    = "broker-delivery"
	ruleTriggerBroker     = "trigger-broker"
	ruleBrokerRef         = "broker-ref"
	ruleBrokerNamespace   = "broker-namespace"
	ruleBrokerNear        = "broker-near"
	ruleFilterBoth        = "filter-both"
	ruleFilterInvalid     = "filter-invalid"
	ruleFilterAnyValue    = "filter-any-value"
	ruleFilterBoolean     = "filter-boolean"
	ruleFilterMissing     = "filter-missing"
	ruleFilterCase        = "filter-case"
	ruleFilterTime        = "filter-time"
	ruleFilterOrder       = "filter-order"
	ruleReplyLoop         = "reply-loop"
	ruleDestination       = "destination"
	ruleDestinationHTTPS  = "destination-https"
	ruleTriggerDelivery   = "trigger-delivery"
	ruleDeadLetterSink    = "dead-letter-sink"
	ruleDeliveryTimeout   = "delivery-timeout"
	ruleDeliveryInvalid   = "delivery-invalid"
	ruleDeliveryNoDelay   = "delivery-no-delay"
	ruleDeliveryOrder     = "delivery-order"
	ruleDeliveryIgnored   = "delivery-ignored"
	ruleDurationInvalid   = "duration-invalid"
	ruleDurationTenths    = "duration-tenths"
	ruleDurationComponent = "duration-component"
)

// Rules are the ids of all rules of Lint, in the order of README.md.
func Rules() []string {
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
