// Package knative proves that package triggers decides as Knative does.
//
// It is a module of its own because knative.dev/eventing and
// knative.dev/serving bring hundreds of packages that Fairlead itself must not
// need to build: only the tests here import them. They ask Knative's own code, at
// the versions of go.mod, which events a filter selects, which answers are
// retried and how long a retry waits, and whether the webhook would admit
// every manifest in triggers/ and config/. One test runs a function behind the
// queue-proxy of Serving.
//
// Two things are not as in a cluster: the CESQL parser is the one that Fairlead
// requires, newer than the one that knative.dev/eventing was built with, and
// the Kafka dispatcher's own filters, which are written in Java, are not asked.
//
// The module builds in minutes the first time, so it is tested apart from the rest:
//
//	cd test/knative && go test ./...
package knative
