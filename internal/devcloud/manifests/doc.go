// Package manifests turns a folder of Broker and Trigger manifests into subscriptions for the dispatcher, again and
// again while somebody edits it. What is broken never stops what works: a file that cannot be read counts as it was
// before, and so does a Trigger that cannot be served.
package manifests
