// Package dryrun answers what a Trigger would have got of the newest events of a topic, and why it would not have got the
// others. It reads without a consumer group, so nothing that delivers notices.
package dryrun
