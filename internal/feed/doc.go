// Package feed hands the events of an application to users that consume them by pull, whatever the protocol: who may consume, which
// events they get, and how an event is written.
//
// A [Guard] admits users to applications, and has them judged again when something has changed that their admission rests on. A [Feed]
// opens subscriptions: with a group, whose position is committed up to the events that were settled, or without one, from now on.
// Filters by channel and device are evaluated here, so that nothing is sent that nobody asked for. An [Event] is what a record of Kafka
// says, decoded without copying.
//
// A record that is no valid event is skipped, counted and logged with its place: no consumer ends because of what somebody else wrote.
//
// Reading path: guard.go and session.go for who may consume, feed.go and subscription.go for what they get, event.go and json.go for how
// it is written.
package feed
