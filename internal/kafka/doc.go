// Package kafka connects to Kafka: clients from the settings and the Secret layout that Knative's Kafka components use,
// a producer whose answer means stored, and the little administration that development needs.
package kafka
