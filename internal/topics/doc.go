// Package topics gives every application its Kafka topic, and takes it away with the application, so that an application
// that gets the name of an earlier one does not get its events.
//
// It deletes only what it has made: that is remembered in the registry's database before the topic is made. A topic that was
// there already belongs to somebody else, and stays.
//
// Users are those with which applications read their topics themselves, where Kafka has an authorizer.
package topics
