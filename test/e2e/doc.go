// Package e2e holds the end-to-end suite: the function binary that is deployed, real Apache Kafka, Redis and PostgreSQL,
// and clients that are not Fairlead's own: curl posts what a device posts, kcat reads what an application reads. Some tests have
// `fairlead dev` beside it, since both have to answer alike.
//
// The tests carry the build tag integration. They share the neighbours and one set of functions; each has applications
// of its own. A test that harms a neighbour restores it before it ends.
package e2e
