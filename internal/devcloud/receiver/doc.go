// Package receiver is an HTTP endpoint for CloudEvents that shows what it gets: the subscriber that a newcomer does not
// have yet.
package receiver
